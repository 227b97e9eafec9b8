"""Texts that tokenizers, windows and offsets stumble over."""

CORPUS = (
    "Ada Lovelace met Charles Babbage in London on 5 June 1833, when she was seventeen.",
    "The Nile flows north through Sudan and Egypt into the Mediterranean Sea.",
    "I did not expect to like this film, but it is wonderful; nobody laughed even once!",
    "Acme Corp. of Springfield sold 1,200 anvils to Mr. Coyle for $30 each in 1949.",
    "Who wrote the first program? Where does the river end? What did he buy, and when?",
    "Zoë's café in Zürich serves naïve tourists – “quotes”, emoji 🎉 and all.",
    "Numbers 0 1 2 3 4 5 6 7 8 9 and letters a b c d e f g h i j k l m n o p q r s t u v w x y z",
)
LONG = " ".join(CORPUS * 4)
ODD = (
    "x",
    "?!... --- ;;;",
    "Grüße aus München 👩‍👩‍👧‍👦🇺🇳 und Zürich",
    "שלום לעולם, the Nile מן הים",
    "المكان نظيف والموظفون لطفاء في London",
    "这家店的服务很好，下次还会再来。",
    "antidisestablishmentarianism pneumonoultramicroscopicsilicovolcanoconiosis",
    "a\u00a0b\u3000c\u200bd\ufeff  e\t\tf\n\ng",
    "e\u0301clair cafe\u0301 \ufb01ne ﬁsh",
    "[SEP] in a text [CLS] is </s> text <s>",
    "Ada  Lovelace   met    Charles     Babbage",
)
