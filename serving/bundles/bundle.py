"""A verified bundle in memory: models, index and item matrices."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from io import BytesIO
from pathlib import Path
from sys import intern
from typing import Any, TypeVar

import faiss
import numpy as np
import onnxruntime
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from contracts.arrays import Floats, Rows
from contracts.bundle import files as parts
from contracts.bundle.manifest import Manifest
from contracts.errors import BundleRefused
from contracts.events.items import SHELVES
from contracts.events.schema import EventType
from contracts.features import names
from contracts.features.vocabulary import Vocabulary, vocabularies_from_json
from contracts.ranking.candidates import NO_ROWS, CandidatePlan, ItemSide, Mask, item_side
from contracts.ranking.inputs import ENGAGEMENT_FEATURES, RANKING_FEATURES, Catalogue
from contracts.ranking.neighbours import NEIGHBOUR_FEATURES, load_neighbours
from contracts.ranking.related import Related, load_related
from contracts.ranking.segments import Segments, segment_starts
from serving.bundles.contents import check_rows, check_texts
from serving.bundles.sealed_files import SealedFiles
from serving.resilience.run_limit import Run, without_limit
from serving.retrieval.search import best, nearest

Part = TypeVar("Part")


class CandidateTower:
    """Items to embeddings; loaded with the first new item, as most servers never meet one."""

    def __init__(self, read: Callable[[], bytes]) -> None:
        """read: the model's bytes as the manifest names them, or BundleRefused."""
        self._read = read

    @cached_property
    def _loaded(self) -> onnxruntime.InferenceSession:
        return _session(self._read())

    def embed(self, inputs: dict[str, Any], run: Run = without_limit) -> Floats:
        """[n, embedding_dim] of n items; an input that is left out is zero. Raises BundleRefused."""
        rows = len(next(iter(inputs.values()), [0]))  # one item of zeros where nothing is given
        given = dict(inputs)
        for tensor in self._loaded.get_inputs():
            kind = np.int32 if "int32" in tensor.type else np.float32
            given.setdefault(tensor.name, np.zeros((rows, *tensor.shape[1:]), kind))
        (embeddings,) = run(self._loaded, given)
        result: Floats = embeddings
        return result


@dataclass(frozen=True)
class LoadedBundle:
    """Everything a request needs of a bundle. Catalogue row i is item_ids[i], titles[i] and departments[i]."""

    manifest: Manifest
    vocabularies: dict[str, Vocabulary]
    titles: tuple[str, ...]
    departments: tuple[str, ...]
    items: ItemSide
    segments: Segments
    plan: CandidatePlan
    index: faiss.Index
    query_tower: onnxruntime.InferenceSession
    ranker: onnxruntime.InferenceSession
    candidate_tower: CandidateTower
    text_projection: Floats  # [BUCKETS, TEXT_DIM], for the titles of new items
    unseen_ranker: onnxruntime.InferenceSession | None = None  # of lists that leave out what the user had
    related: Related | None = None  # None for a bundle made before what goes together was counted
    base: "LoadedBundle | None" = None  # as it was sealed, where this one has later items or prices
    run: Run = without_limit  # how towers and rankers are run; a server has a time limit

    @property
    def sealed(self) -> "LoadedBundle":
        """The bundle without what was changed since; its towers know its vocabularies and no other."""
        return self.base or self

    @property
    def item_ids(self) -> tuple[str, ...]:
        """Row i is catalogue row i."""
        return self.vocabularies[names.ITEM_ID].terms

    @cached_property
    def reads_engagements(self) -> bool:
        """Whether the log that trained the ranker had engagements; without them none are read."""
        width = self.ranker.get_inputs()[0].shape[-1]  # a name where a graph leaves it open, which no ranker does
        return isinstance(width, int) and width > _width_without_engagements(self)

    @property
    def target(self) -> EventType:
        """The event that the models learned from."""
        return EventType(self.manifest.parameters("features").get("target", EventType.PURCHASE))

    @property
    def shelf(self) -> str | None:
        """The filter that the catalogue's items are grouped by; None where it knows neither departments nor more."""
        return next((name for name in SHELVES if self.vocabularies[name].terms), None)

    def embed(self, inputs: dict[str, Any]) -> Floats:
        """[batch, embedding_dim] query embeddings."""
        (embeddings,) = self.run(self.query_tower, inputs)
        result: Floats = embeddings
        return result

    def embed_items(self, inputs: dict[str, Any]) -> Floats:
        """[n, embedding_dim] candidate embeddings of n new items. Raises BundleRefused."""
        return self.candidate_tower.embed(inputs, self.run)

    def nearest(self, query: Floats, k: int, allowed: Mask | None = None) -> tuple[Rows, Floats]:
        """([m] catalogue rows, [m] inner products with [embedding_dim]), best first; fewer than k where no more are."""
        return nearest(self.index, self.items.embeddings, query, k, allowed)

    def later(self, query: Floats, limit: int, allowed: Mask | None = None) -> Rows:
        """[k] rows of items that came after the bundle was made, nearest to the [embedding_dim] query first."""
        first = self.sealed.manifest.num_items
        if first == len(self.items.embeddings):
            return NO_ROWS
        rows = np.arange(first, len(self.items.embeddings))
        if allowed is not None:
            rows = rows[allowed[first:]]
        return best(rows, self.items.embeddings[rows] @ query, limit)[0]

    def rank(self, inputs: Floats, *, include_seen: bool = True) -> Floats:
        """[k] scores of candidates' inputs, [k, features]; include_seen is the request's."""
        ranker = self.ranker if include_seen else self.unseen_ranker or self.ranker
        (scores,) = self.run(ranker, {"inputs": inputs[np.newaxis]})
        result: Floats = scores[0]
        return result


def load_bundle(folder: Path, keys: Sequence[Ed25519PublicKey] = ()) -> LoadedBundle:
    """The bundle in memory, after every check; nothing is parsed before its digest and the signature are right.

    Raises MissingArtifact where there is none, BundleRefused where it is altered, mixed, of another contract version,
    not signed with one of the keys (if there are any), or where its parts do not fit together.
    """
    files = SealedFiles(folder, keys)
    bundle = from_files(files)
    files.check_rest()
    return bundle


def from_files(files: SealedFiles) -> LoadedBundle:
    """The bundle in memory, of bytes that are checked already. Raises BundleRefused where parts do not fit together."""
    manifest = files.manifest
    terms, display = (json.loads(files.read(name)) for name in (parts.VOCABULARIES, parts.DISPLAY))
    check_texts(manifest, {parts.VOCABULARIES: terms, parts.DISPLAY: display})
    vocabularies = vocabularies_from_json(terms)
    with np.load(BytesIO(files.read(parts.ITEMS))) as matrices:
        of_items = {name: matrices[name] for name in ("codes", "statistics", "text", "prices")}
    check_rows(manifest, len(vocabularies[names.ITEM_ID].terms), of_items)
    codes, statistics, text, prices = of_items.values()
    catalogue = Catalogue(
        codes={column: codes[:, i] for i, column in enumerate(names.ITEM_CONTENT)},
        sizes={column: len(vocabularies[column]) for column in names.ITEM_CONTENT},
        statistics=statistics,
        text=text,
    )
    plan = _plan(manifest)
    embeddings = np.load(BytesIO(files.read(parts.ITEM_EMBEDDINGS)))
    neighbours = _where_there_is(files, parts.NEIGHBOURS, load_neighbours)
    loaded = LoadedBundle(
        manifest=manifest,
        vocabularies=vocabularies,
        titles=tuple(display["title"]),
        departments=tuple(map(intern, display["department"])),  # few of them, each on thousands of items
        segments=_segments(files.read(parts.SEGMENTS), vocabularies),
        items=item_side(catalogue, embeddings, len(embeddings), prices, neighbours),
        plan=plan,
        index=faiss.deserialize_index(np.frombuffer(files.read(parts.INDEX), np.uint8)),
        query_tower=_session(files.read(parts.QUERY_TOWER)),
        ranker=_session(files.read(parts.RANKER)),
        unseen_ranker=_session(files.read(parts.UNSEEN_RANKER)) if files.has(parts.UNSEEN_RANKER) else None,
        text_projection=np.load(BytesIO(files.read(parts.TEXT_PROJECTION))),
        candidate_tower=CandidateTower(partial(files.read, parts.CANDIDATE_TOWER)),
        related=_where_there_is(files, parts.RELATED, load_related),
    )
    _check_dimensions(loaded)
    return loaded


def _segments(content: bytes, vocabularies: dict[str, Vocabulary]) -> Segments:
    with np.load(BytesIO(content)) as matrices:
        return Segments(matrices["rows"], matrices["buyers"], segment_starts(vocabularies))


def _where_there_is(files: SealedFiles, name: str, load: Callable[[BytesIO], Part]) -> Part | None:
    """What is loaded from the file; None for a bundle that was made without it. Raises BundleRefused."""
    if not files.has(name):
        return None
    try:
        return load(BytesIO(files.read(name)))
    except ValueError as error:
        raise BundleRefused(f"Bundle {files.manifest.bundle_version} does not fit together: {error}.") from error


def _width_without_engagements(loaded: LoadedBundle) -> int:
    """Inputs of a ranker of this bundle that reads no engagements."""
    return len(RANKING_FEATURES) + (len(NEIGHBOUR_FEATURES) if loaded.items.neighbours else 0)


def _plan(manifest: Manifest) -> CandidatePlan:
    ranker = manifest.parameters("ranker")
    return CandidatePlan(
        ranker["num_candidates"],
        ranker["num_repeat"],
        ranker["num_popular"],
        ranker["num_engaged"],
        ranker.get("num_neighbours", 0),  # a bundle made before there were any
        ranker.get("num_unseen_neighbours", 0),
    )


def _session(model: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _check_dimensions(loaded: LoadedBundle) -> None:
    manifest, rows = loaded.manifest, len(loaded.item_ids)
    expected = sum(len(loaded.vocabularies[column]) for column in names.USER_PROFILE)
    sizes = {
        "items in the manifest": manifest.num_items,
        "embedding rows": len(loaded.items.embeddings),
        "index entries": loaded.index.ntotal,
        "titles": len(loaded.titles),
        "departments": len(loaded.departments),
    }
    faults = [f"{size} {what}, {rows} item ids" for what, size in sizes.items() if size != rows]
    if loaded.items.neighbours and loaded.items.neighbours.num_items != rows:
        faults.append(f"{loaded.items.neighbours.num_items} items in {parts.NEIGHBOURS}, {rows} item ids")
    if loaded.related and loaded.related.num_items != rows:
        faults.append(f"{loaded.related.num_items} items in {parts.RELATED}, {rows} item ids")
    if len(loaded.segments.rows) != expected:
        faults.append(f"{len(loaded.segments.rows)} segments, {expected} profile values")
    widths = {
        "embeddings": loaded.items.embeddings.shape[1],
        "the index": loaded.index.d,
        "the query tower": loaded.query_tower.get_outputs()[0].shape[-1],
    }
    faults += [
        f"{what} has dimension {width}, the manifest says {manifest.embedding_dim}"
        for what, width in widths.items()
        if width != manifest.embedding_dim
    ]
    ranked, computed = loaded.ranker.get_inputs()[0].shape[-1], _width_without_engagements(loaded)
    if ranked not in (computed, computed + len(ENGAGEMENT_FEATURES)):
        with_engagements = computed + len(ENGAGEMENT_FEATURES)
        faults.append(
            f"the ranker reads {ranked} features, this server computes {computed}, or "
            f"{with_engagements} with engagements"
        )
    if loaded.unseen_ranker and (width := loaded.unseen_ranker.get_inputs()[0].shape[-1]) != ranked:
        faults.append(f"the ranker of unseen items reads {width} features, the ranker {ranked}")
    if faults:
        raise BundleRefused(f"Bundle {manifest.bundle_version} does not fit together: {'; '.join(faults)}.")
