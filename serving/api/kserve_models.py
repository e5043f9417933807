"""The three KServe models: the same requests and answers over the v1 and the v2 protocol."""

import asyncio
import uuid
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Generic, TypeVar

import kserve.errors
import numpy as np
import numpy.typing as npt
from kserve import InferOutput, InferRequest, InferResponse, Model
from kserve.protocol.infer_type import InferInput
from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from contracts.api.answers import Recommendations, ScoredItems
from contracts.api.limits import MAX_BATCH
from contracts.api.requests import RankingRequest, RecommendationRequest, Request, RetrievalRequest
from contracts.errors import MAX_FIELDS, InvalidInput, faults_of
from contracts.rules.selection import MAX_LISTED_ITEMS
from contracts.spelling import MAX_NAME, meant
from serving.api.access import CALLER
from serving.api.routes.recommendations import lists_for_caller
from serving.service import Lists, Service

ITEM_IDS: Final = "item_ids"
SCORES: Final = "scores"
OUTPUTS: Final = (ITEM_IDS, SCORES)
"""Of every model over v2: texts (BYTES) and numbers (FP32)."""

Asked = TypeVar("Asked", bound=Request)
Answered = TypeVar("Answered", bound=BaseModel)


class ProtocolModel(Model, Generic[Asked, Answered]):  # type: ignore[misc]
    """Protocol handling around one function of the recommender."""

    def __init__(self, name: str, request: type[Asked], is_ready: Callable[[], bool]) -> None:
        """is_ready: whether there is a bundle that answers; probes ask it."""
        self._is_ready = is_ready
        super().__init__(name)
        self.request = request

    @property
    def ready(self) -> bool:
        """Whether KServe may pass on requests; it answers 503 until then."""
        return self._is_ready()

    @ready.setter
    def ready(self, value: bool) -> None:
        """Nothing: KServe sets it to False before it knows more."""

    @abstractmethod
    async def answers(self, requests: Sequence[Asked]) -> list[Answered]:
        """The answer of each request, in order; others are answered in between. Raises TooManyRequests."""

    @abstractmethod
    def lists(self, answer: Answered) -> tuple[list[str], list[float]]:
        """(item ids, scores) of an answer, aligned, best first."""

    async def predict(
        self, payload: bytes | dict[str, Any] | InferRequest, headers: Any = None, response_headers: Any = None
    ) -> dict[str, Any] | InferResponse:
        """Answers of a v1 body {"instances": [...]} or of a v2 inference request, one per instance and in order.

        Raises KServe's InvalidInput (400) with what was expected.
        """
        try:
            if isinstance(payload, InferRequest):
                requests, wanted = self._validated(instances_of_v2(payload)), outputs_of_v2(payload)
                return self._v2_response(payload, await self.answers(requests), wanted)
            requests = self._validated(instances_of_v1(payload))
            predictions = []
            for answer in await self.answers(requests):
                predictions.append(answer.model_dump(mode="json"))
                await asyncio.sleep(0)  # as in routes/recommendations.py
            return {"predictions": predictions}
        except InvalidInput as error:
            raise kserve.errors.InvalidInput(str(error)) from error

    def _validated(self, instances: Sequence[Any]) -> list[Asked]:
        refuse_many(len(instances))
        requests = []
        for position, instance in enumerate(instances):
            try:
                requests.append(self.request.model_validate(instance))
            except ValidationError as error:
                raise InvalidInput(f"Instance {position}: {explain(error, self.request)}") from error
        return requests

    def _v2_response(self, request: InferRequest, answers: Sequence[Answered], wanted: Sequence[str]) -> InferResponse:
        """The wanted of OUTPUTS, each [batch, longest]; short lists are filled with "" and NaN."""
        lists = [self.lists(answer) for answer in answers]
        longest = max(len(ids) for ids, _ in lists)
        ids = np.full((len(lists), longest), "", dtype=object)
        scores = np.full((len(lists), longest), np.nan, dtype=np.float32)
        for row, (own_ids, own_scores) in enumerate(lists):
            ids[row, : len(own_ids)], scores[row, : len(own_scores)] = own_ids, own_scores
        made = {ITEM_IDS: ("BYTES", ids), SCORES: ("FP32", scores)}
        outputs = [_output(name, *made[name]) for name in wanted]
        response_id = request.id or uuid.uuid4().hex  # optional for a client; KServe's answer must have one
        return InferResponse(response_id=response_id, model_name=self.name, infer_outputs=outputs)


class RecommenderModel(ProtocolModel[RecommendationRequest, Recommendations]):
    """The whole path."""

    def __init__(self, name: str, lists: Lists, is_ready: Callable[[], bool]) -> None:
        super().__init__(name, RecommendationRequest, is_ready)
        self._lists = lists

    async def answers(self, requests: Sequence[RecommendationRequest]) -> list[Recommendations]:
        """The users' lists."""
        return await lists_for_caller(self._lists, requests)

    def lists(self, answer: Recommendations) -> tuple[list[str], list[float]]:
        """(item ids, scores)."""
        return [item.item_id for item in answer.items], [item.score for item in answer.items]


class StageModel(ProtocolModel[Asked, ScoredItems]):
    """One stage alone: the two towers, or the ranker on items of the caller."""

    def __init__(
        self, name: str, request: type[Asked], score: Callable[[Asked], ScoredItems], service: Service
    ) -> None:
        super().__init__(name, request, lambda: service.releases.is_ready)
        self._score = score
        self._service = service

    async def answers(self, requests: Sequence[Asked]) -> list[ScoredItems]:
        """The items of each request, best first."""
        CALLER.get().charge(len(requests) - 1)
        return [await self._service.computed(self._score, request) for request in requests]

    def lists(self, answer: ScoredItems) -> tuple[list[str], list[float]]:
        """(item ids, scores)."""
        return answer.item_ids, answer.scores


def models(service: Service) -> list[Model]:
    """The models of one process, under the names that clients and probes use."""
    recommender = service.recommender
    return [
        RecommenderModel("recommender", service.lists, lambda: service.releases.is_ready),
        StageModel("retrieval", RetrievalRequest, recommender.retrieve, service),
        StageModel("ranking", RankingRequest, recommender.rank, service),
    ]


def instances_of_v1(payload: bytes | dict[str, Any]) -> list[Any]:
    """The instances of a v1 body.

    Raises InvalidInput unless it is {"instances": [...]}.
    """
    body: Any = payload
    if isinstance(payload, bytes):  # KServe parses only some spellings of the JSON content type
        try:
            body = from_json(payload)
        except ValueError as error:
            raise InvalidInput(f"The body is not JSON: {error}.") from error
    if not isinstance(body, dict) or set(body) != {"instances"} or not isinstance(body["instances"], list):
        raise InvalidInput('The body must be {"instances": [...]} and nothing else, one object an instance.')
    instances: list[Any] = body["instances"]
    return instances


def refuse_many(instances: int) -> None:
    """Raises InvalidInput for more than can be answered at once."""
    if not 1 <= instances <= MAX_BATCH:
        raise InvalidInput(f"{instances} instances were sent, 1 to {MAX_BATCH} are answered at once.")


def instances_of_v2(request: InferRequest) -> list[dict[str, Any]]:
    """One instance a row of the input tensors; a tensor of one row holds for every row.

    Lists like item_ids or department are [batch, k], with "" after the end of a shorter one. Number and shapes of the
    tensors are looked at before anything is made of them: a body of 200 kB can describe more rows times tensors than
    memory holds.

    Raises InvalidInput for tensors that cannot be one batch, and where their first dimensions disagree.
    """
    refuse_tensors(request.inputs)
    columns = {tensor.name: _values(tensor) for tensor in request.inputs}
    batch = max((len(values) for values in columns.values()), default=0)
    if uneven := {name: len(values) for name, values in columns.items() if len(values) not in (1, batch)}:
        raise InvalidInput(f"All inputs must have {batch} rows or 1, but there are {uneven}.")
    return [
        {name: values[row if len(values) == batch else 0] for name, values in columns.items()} for row in range(batch)
    ]


def outputs_of_v2(request: InferRequest) -> list[str]:
    """Names of the outputs that are asked for, all where none is named.

    Raises InvalidInput for one that there is not.
    """
    asked = request.request_outputs or []
    if len(asked) > MAX_FIELDS:
        raise InvalidInput(f"{len(asked)} outputs were asked for, at most {MAX_FIELDS} are looked at.")
    names = list(dict.fromkeys(output.name for output in asked))
    if unknown := [name for name in names if name not in OUTPUTS]:
        raise InvalidInput(
            f"There is no output {unknown[0][:MAX_NAME]!r}{meant(unknown[0], OUTPUTS)}; there is {', '.join(OUTPUTS)}."
        )
    return names or list(OUTPUTS)


def refuse_tensors(tensors: Sequence[InferInput]) -> None:
    """Raises InvalidInput for tensors that cannot be the columns of one batch, by what is declared of them."""
    if len(tensors) > MAX_FIELDS:
        raise InvalidInput(f"{len(tensors)} inputs were sent, at most {MAX_FIELDS} are looked at.")
    if len({tensor.name for tensor in tensors}) < len(tensors):
        raise InvalidInput(f"{len(tensors)} inputs were sent, and some of them have the same name.")
    for tensor in tensors:
        shape = tensor.shape
        if not 1 <= len(shape) <= 2 or not all(type(size) is int and size >= 0 for size in shape):
            raise InvalidInput(
                f"Input {tensor.name!r} has the shape {str(shape)[:100]}; expected [batch] or [batch, k]."
            )
        if len(shape) == 2 and shape[1] > MAX_LISTED_ITEMS:
            raise InvalidInput(f"Input {tensor.name!r} has lists of {shape[1]}, at most {MAX_LISTED_ITEMS} are taken.")
    refuse_many(max((tensor.shape[0] for tensor in tensors), default=0))


def _values(tensor: InferInput) -> list[Any]:
    try:
        array = tensor.as_numpy()
    except Exception as error:  # numpy and KServe meet any JSON here, and each raises what comes of it
        raise InvalidInput(
            f"Input {tensor.name!r} cannot be read as {tensor.datatype} of shape {tensor.shape}."
        ) from error
    if tensor.datatype == "BYTES":
        array = np.array([_text(value) for value in array.ravel()], dtype=object).reshape(array.shape)
    if array.ndim == 2:
        return [[value for value in row.tolist() if value != ""] for row in array]
    values: list[Any] = array.tolist()
    return values


def _text(value: bytes | str) -> str:
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else value


def _output(name: str, datatype: str, values: npt.NDArray[Any]) -> InferOutput:
    output = InferOutput(name=name, shape=list(values.shape), datatype=datatype)
    output.set_data_from_numpy(values, binary_data=False)
    return output


def explain(error: ValidationError, request: type[Request]) -> str:
    """One sentence on every fault of a request, and the fields there are."""
    return f"{'; '.join(faults_of(error, 'instance'))}. Expected {_fields(request.model_json_schema())}."


def _fields(schema: Mapping[str, Any]) -> str:
    required = schema.get("required", [])
    described = [
        f"{name} ({field.get('type', 'value')}{', required' if name in required else ''})"
        for name, field in sorted(schema["properties"].items(), key=lambda named: named[0] not in required)
    ]
    return ", ".join(described)
