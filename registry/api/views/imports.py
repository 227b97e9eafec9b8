"""Models brought in from a Hub endpoint."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.views import APIView

from access.drf import get_actor, get_facts
from access.entrance import get_gate
from access.scopes import Scope
from registry import tasks
from registry.api.operation_shapes import ImportSerializer, OperationSerializer
from registry.api.views.common import MODEL, TAG, read
from registry.services import importing, operations
from registry.specs import OperationKind


class ImportView(APIView):
    """Import a model."""

    required_scopes = {"POST": "push"}

    @extend_schema(
        summary="Import a model from a Hub endpoint as the next version",
        description="Works in the background: follow the operation. To promote the version at "
        "once, the key needs the scope promote as well.",
        tags=TAG,
        parameters=MODEL,
        request=ImportSerializer,
        responses={202: OperationSerializer},
    )
    def post(self, request: Request, namespace: str, name: str) -> Response:
        wanted = read(ImportSerializer, request)
        facts = get_facts(request)
        if wanted["promote"] and facts is not None:
            get_gate().authorize(facts, Scope.PROMOTE)
        parameters = importing.check_import(
            wanted["source"],
            f"{namespace}/{name}",
            revision=wanted.get("revision"),
            endpoint=wanted.get("endpoint"),
            pooling=wanted.get("pooling"),
            note=wanted["note"],
            promote=wanted["promote"],
        )
        operation = tasks.enqueue(
            OperationKind.IMPORT,
            importing.import_title(parameters),
            actor=get_actor(request),
            parameters=parameters,
        )
        row = operations.find_operation(operation)
        where = reverse("registry-operation", args=[operation])
        return Response(OperationSerializer(row).data, status=202, headers={"Location": where})
