"""The text of all series, kept in shards so that a change renders only the shards it touches.

A shard holds neighbouring series in the order in which they came, and its bytes for each variant
that was asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

from runtype_exporter.catalogue import Metric
from runtype_exporter.metrics.gzip import Deflated, Joiner, ResponseBody, deflate
from runtype_exporter.metrics.text import ExpositionFormat, LinePrefix, Writer, count_lines, header
from runtype_exporter.model import LabelValues, Sample

Encoding = Literal["identity", "gzip"]
Variant = tuple[ExpositionFormat, Encoding]
"""A format and an encoding in which an exposition can be asked for."""

Piece = bytes | Deflated
"""A part of an exposition: bytes for the identity encoding, deflated bytes for gzip."""

SHARD_SERIES = 256
SHARD_HISTOGRAMS = 16
"""Series in a shard (measured): smaller shards compress worse, larger ones make a change cost more.
"""


def make_piece(text: bytes, encoding: Encoding) -> Piece:
    """Return text as a piece of an exposition."""
    return deflate(text) if encoding == "gzip" else text


class Assembler:
    """Joins pieces of one encoding."""

    def __init__(self) -> None:
        self._joiner = Joiner()

    def body(self, pieces: Sequence[Piece]) -> ResponseBody:
        """Return the pieces as the body of a response."""
        deflated = [piece for piece in pieces if isinstance(piece, Deflated)]
        if deflated:
            return self._joiner.join(deflated)
        plain = tuple(piece for piece in pieces if isinstance(piece, bytes))
        return ResponseBody(plain, sum(map(len, plain)))


class _Series:
    __slots__ = ("prefix", "sample", "shard")

    def __init__(self, shard: _Shard, prefix: LinePrefix, sample: Sample) -> None:
        self.shard = shard
        self.prefix = prefix
        self.sample = sample


class _Shard:
    __slots__ = ("pieces", "series")

    def __init__(self) -> None:
        self.series: dict[LabelValues, _Series] = {}
        self.pieces: dict[Variant, Piece] = {}

    def piece(self, writer: Writer, variant: Variant) -> Piece:
        piece = self.pieces.get(variant)
        if piece is None:
            lines, format_ = writer.lines, variant[0]
            text = "".join(
                [lines(series.prefix, series.sample, format_) for series in self.series.values()]
            )
            # "replace": a lone surrogate in a label must not cost the scrape
            piece = self.pieces[variant] = make_piece(text.encode("utf-8", "replace"), variant[1])
        return piece


class _Family:
    def __init__(self, metric: Metric) -> None:
        self._metric = metric
        self._writer = Writer(metric)
        self._histogram = metric.type == "histogram"
        self._capacity = SHARD_HISTOGRAMS if self._histogram else SHARD_SERIES
        self._series: dict[LabelValues, _Series] = {}
        self._headers: dict[Variant, Piece] = {}
        self._holes = False
        self.shards: list[_Shard] = []
        self.lines = 0
        self.created_lines = 0

    def update(self, labels: LabelValues, sample: Sample | None) -> bool:
        series = self._series.get(labels)
        if series is None:
            return sample is not None and self._add(labels, sample)
        if sample is None:
            return self._remove(labels, series)
        before = series.sample
        if before.value == sample.value and before.created == sample.created:
            return False
        series.sample = sample
        series.shard.pieces.clear()
        if self._histogram:
            self.lines += count_lines(sample) - count_lines(before)
        self.created_lines += (sample.created is not None) - (before.created is not None)
        return True

    def _add(self, labels: LabelValues, sample: Sample) -> bool:
        prefix = self._writer.prefix(labels)
        if not self.shards or len(self.shards[-1].series) >= self._capacity:
            self.shards.append(_Shard())
        shard = self.shards[-1]
        shard.series[labels] = self._series[labels] = _Series(shard, prefix, sample)
        shard.pieces.clear()
        self.lines += count_lines(sample)
        self.created_lines += sample.created is not None
        return True

    def _remove(self, labels: LabelValues, series: _Series) -> bool:
        del series.shard.series[labels]
        del self._series[labels]
        series.shard.pieces.clear()
        self.lines -= count_lines(series.sample)
        self.created_lines -= series.sample.created is not None
        self._holes = True
        return True

    def compact(self) -> None:
        """Join neighbouring shards that fit into one.

        Without this, series that come and go would leave small shards behind.
        """
        if not self._holes:
            return
        self._holes = False
        kept: list[_Shard] = []
        for shard in self.shards:
            if not shard.series:
                continue
            if kept and len(kept[-1].series) + len(shard.series) <= self._capacity:
                kept[-1].series.update(shard.series)
                kept[-1].pieces.clear()
                for series in shard.series.values():
                    series.shard = kept[-1]
            else:
                kept.append(shard)
        self.shards = kept

    def pieces(self, variant: Variant) -> Iterator[Piece]:
        if not self.shards:
            return
        head = self._headers.get(variant)
        if head is None:
            text = header(self._metric, variant[0]).encode()
            head = self._headers[variant] = make_piece(text, variant[1])
        yield head
        for shard in self.shards:
            yield shard.piece(self._writer, variant)

    def render(self, shard: _Shard, variant: Variant) -> bool:
        if variant in shard.pieces:
            return False
        shard.piece(self._writer, variant)
        return True

    def drop(self, variant: Variant) -> None:
        for shard in self.shards:
            shard.pieces.pop(variant, None)


class Renderer:
    """The text of all series of some metrics.

    Metrics keep their order, and the series of a metric keep the order in which they came.
    """

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._families = {metric.name: _Family(metric) for metric in metrics}

    @property
    def lines(self) -> int:
        """Return the number of lines in the text format, without comments."""
        return sum(family.lines for family in self._families.values())

    @property
    def created_lines(self) -> int:
        """Return the number of `_created` lines, which only OpenMetrics has."""
        return sum(family.created_lines for family in self._families.values())

    def lines_of(self, names: Iterable[str]) -> int:
        """Return the number of lines that these metrics take in the text format."""
        return sum(self._families[name].lines for name in names)

    def update(self, name: str, labels: LabelValues, sample: Sample | None) -> bool:
        """Show a series with this sample, None: no longer. Return whether that is a change.

        Raises:
            KeyError: no metric has this name.
            ValueError: the label values don't match the metric's labels.
        """
        return self._families[name].update(labels, sample)

    def update_family(self, name: str, changes: Mapping[LabelValues, Sample | None]) -> bool:
        """Call `update` for many series of one metric. Return whether anything changed."""
        update = self._families[name].update
        changed = False
        for labels, sample in changes.items():
            changed |= update(labels, sample)
        return changed

    def render(self, variants: Iterable[Variant]) -> Iterator[None]:
        """Render what changed, so that `pieces` has less to do. Yield after each shard."""
        wanted = tuple(variants)
        for family in self._families.values():
            family.compact()
            for shard in tuple(family.shards):
                for variant in wanted:
                    if family.render(shard, variant):
                        yield

    def pieces(self, variant: Variant) -> list[Piece]:
        """Return all that is shown now. Metrics without a series show nothing."""
        pieces: list[Piece] = []
        for family in self._families.values():
            family.compact()
            pieces.extend(family.pieces(variant))
        return pieces

    def drop(self, variant: Variant) -> None:
        """Forget the text of a variant that is no longer asked for."""
        for family in self._families.values():
            family.drop(variant)
