import torch

from inference.runtimes.cores import Cores


def test_a_pass_alone_gets_all_cores_and_several_get_their_part():
    cores = Cores()
    with cores.share(8) as alone:
        assert alone == torch.get_num_threads() == 8
        with cores.share(8) as second, cores.share(8) as third:
            assert (second, third) == (4, 2)
    with cores.share(8) as again:
        assert again == 8


def test_nobody_gets_less_than_one_core():
    cores = Cores()
    with cores.share(1), cores.share(1) as second:
        assert second == 1


def test_a_pass_that_fails_gives_its_cores_back():
    cores = Cores()
    try:
        with cores.share(4):
            raise ValueError("poison")
    except ValueError:
        pass
    with cores.share(4) as after:
        assert after == 4
