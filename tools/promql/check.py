"""Infer the labels of an expression's result, and find mistakes in the expression.

The inference follows the engine of Prometheus. It works with the labels that a series *may* have,
so a label that it reports as missing is always missing. The parser gives no positions in the text,
so problems name the selector or the clause. Native histograms are not supported.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import promql_parser as ast

from tools.promql.grafana import VARIABLE
from tools.promql.known import KnownMetrics, metric_of
from tools.promql.labels import Labels, Values

_SET_OPERATORS = ("and", "or", "unless")
_KEEP_ALL = ("topk", "bottomk", "limitk", "limit_ratio")
_FOR_COUNTERS = ("rate", "increase", "irate", "resets")
_FOR_GAUGES = ("delta", "idelta", "deriv", "predict_linear")


class ExpressionCheck:
    """The result of checking an expression.

    `labels` are those of its result (None for a scalar). `names` are the series that it reads.
    """

    def __init__(self, text: str, known: KnownMetrics) -> None:
        self.problems: list[str] = []
        self.names: set[str] = set()
        self.labels: Labels | None = Labels(open=True)
        self._known = known
        try:
            tree = ast.parse(text)
        except ValueError as error:
            self.problems.append(f"cannot be parsed: {error}")
        else:
            self.labels = self._infer(tree)

    @property
    def metrics(self) -> set[str]:
        """The metrics that it reads, by their names in the catalogue."""
        return {metric_of(name) for name in self.names}

    def _report(self, problem: str) -> None:
        if problem not in self.problems:
            self.problems.append(problem)

    def _infer(self, node: ast.Expr) -> Labels | None:
        labels: Labels | None = None
        match node:
            case ast.VectorSelector():
                labels = self._selector(node)
            case ast.MatrixSelector():
                labels = self._selector(node.vector_selector)
            case ast.AggregateExpr():
                labels = self._aggregate(node)
            case ast.BinaryExpr():
                labels = self._binary(node)
            case ast.Call():
                labels = self._call(node)
            case ast.ParenExpr() | ast.UnaryExpr() | ast.SubqueryExpr():
                labels = self._infer(node.expr)
            case ast.NumberLiteral() | ast.StringLiteral():
                pass
            case _:
                self._report(f"{type(node).__name__} is not known to this check: teach it")
        return labels

    # --- selectors ---

    def _selector(self, node: ast.VectorSelector) -> Labels:
        groups = [list(node.matchers.matchers), *node.matchers.or_matchers]
        matchers = [matcher for group in groups for matcher in group]
        names = self._selected(node, matchers)
        self.names.update(names)
        labels: Labels | None = None
        for name in names:
            own = self._known.labels(name) or Labels(open=True)
            labels = own if labels is None else labels.union(own)
        if labels is None:
            return Labels(open=True)
        for matcher in matchers:
            if matcher.name != "__name__":
                self._matcher(", ".join(names), matcher, labels)
        # Alternatives (`{a="b" or c="d"}`) narrow nothing for certain.
        fixed = {
            m.name: frozenset({m.value})
            for m in groups[0]
            if _is_fixed(m) and m.name in labels.names()
        }
        return labels.add(fixed)

    def _selected(self, node: ast.VectorSelector, matchers: Iterable[ast.Matcher]) -> list[str]:
        """Return the existing names that a selector reads. Report the others."""
        patterns = [m for m in matchers if m.name == "__name__"]
        if node.name is None and not patterns:
            self._report(f"{node}: asks for no metric by name")
        found = [] if node.name is None else [node.name]
        for matcher in patterns:
            pattern = re.escape(matcher.value) if matcher.op == ast.MatchOp.Equal else matcher.value
            if matcher.op in (ast.MatchOp.Equal, ast.MatchOp.Re):
                found += self._known.matching(pattern) or [matcher.value]
        for name in found:
            if name in self._known.histograms:
                self._report(f"{name} is a histogram: ask for its _bucket, _sum or _count")
            elif self._known.labels(name) is None:
                self._report(f"nothing bears the name {name}")
        return [name for name in found if self._known.labels(name) is not None]

    def _matcher(self, name: str, matcher: ast.Matcher, labels: Labels) -> None:
        if matcher.name not in labels:
            self._report(f"{name} has no label {matcher.name}")
            return
        values = labels.values_of(matcher.name)
        if values is None or VARIABLE in matcher.value:
            return
        for wrong in _foreign(matcher, values):
            self._report(
                f"{name}: {matcher.name} is never {wrong!r}, but one of {', '.join(sorted(values))}"
            )

    # --- operators ---

    def _aggregate(self, node: ast.AggregateExpr) -> Labels:
        if isinstance(node.param, ast.Expr):
            self._infer(node.param)
        inner = self._infer(node.expr) or Labels()
        operator = str(node.op)
        if node.modifier is None:
            result = Labels()
        else:
            named = list(node.modifier.labels)
            by = node.modifier.type == ast.AggModifierType.By
            for label in inner.missing(named):
                self._report(
                    f"{operator} {'by' if by else 'without'} ({label}): there is no such label"
                    " below it"
                )
            result = inner.keep(named) if by else inner.drop(named)
        if operator in _KEEP_ALL:
            return inner
        # The label that count_values adds.
        if isinstance(node.param, ast.StringLiteral):
            return result.add({node.param.val: None})
        return result

    def _binary(self, node: ast.BinaryExpr) -> Labels | None:
        left, right = self._infer(node.lhs), self._infer(node.rhs)
        if left is None or right is None:
            return right if left is None else left
        operator, modifier = str(node.op), node.modifier
        matching = modifier.matching if modifier else None
        names = list(matching.labels) if matching else []
        on = matching is not None and matching.type == ast.LabelModifierType.Include
        self._pairing(operator, (left, right), names, on=on)
        if operator == "or":
            return left.union(right)
        if operator in _SET_OPERATORS:
            return left
        card = modifier.card if modifier else ast.VectorMatchCardinality.OneToOne
        included = list((modifier.group_labels if modifier else None) or [])
        if card == ast.VectorMatchCardinality.ManyToOne:
            return self._grouped("group_left", left, right, included)
        if card == ast.VectorMatchCardinality.OneToMany:
            return self._grouped("group_right", right, left, included)
        return left.keep(names) if on else left.drop(names)

    def _grouped(self, word: str, many: Labels, one: Labels, included: list[str]) -> Labels:
        for label in one.missing(included):
            self._report(f"{word} ({label}): the side that it is taken from has no such label")
        return many.add({label: one.values_of(label) for label in included})

    def _pairing(
        self, operator: str, sides: tuple[Labels, Labels], names: list[str], *, on: bool
    ) -> None:
        """Report if series of the two sides can never match."""
        left, right = sides
        if on:
            for side, labels in (("left", left), ("right", right)):
                for label in labels.missing(names):
                    self._report(f"{operator} on ({label}): the {side} side has no such label")
            return
        for label in names:
            if label not in left and label not in right:
                self._report(f"{operator} ignoring ({label}): neither side has such a label")
        if operator != "or" and not (left.open or right.open):
            odd = sorted(
                (left.names() ^ right.names())
                - {*names, *_always_empty(left), *_always_empty(right)}
            )
            if odd:
                self._report(
                    f"{operator} never finds partners: only one side has {', '.join(odd)}; say on()"
                    " or ignoring()"
                )

    # --- functions ---

    def _call(self, node: ast.Call) -> Labels | None:
        name, arguments = node.func.name, list(node.args)
        inferred = [self._infer(argument) for argument in arguments]
        result = next((labels for labels in inferred if labels is not None), Labels())
        self._kind(name, arguments)
        match name:
            case "absent" | "absent_over_time":
                return _absent(arguments[0])
            case "label_replace":
                return self._copied(name, result, arguments[1].val, [arguments[3].val])
            case "label_join":
                return self._copied(
                    name, result, arguments[1].val, [argument.val for argument in arguments[3:]]
                )
            case "histogram_quantile" | "histogram_fraction":
                if "le" not in result:
                    self._report(f"{name}: the buckets have lost their label le")
                result = result.drop(["le"])
            case "info":
                result = Labels(result.values, open=True)
        return None if node.func.return_type == ast.ValueType.Scalar else result

    def _copied(self, name: str, series: Labels, target: str, sources: list[str]) -> Labels:
        for label in series.missing(source for source in sources if source):
            self._report(f"{name} from {label}: there is no such label below it")
        return series.add({target: None})

    def _kind(self, function: str, arguments: list[ast.Expr]) -> None:
        """Report functions for counters that are used with gauges, and the other way round."""
        for argument in arguments:
            if isinstance(argument, ast.MatrixSelector) and (name := argument.vector_selector.name):
                kind = self._known.kind(name)
                if (function in _FOR_COUNTERS and kind == "gauge") or (
                    function in _FOR_GAUGES and kind == "counter"
                ):
                    self._report(f"{function} of {name}, which is a {kind}")


def _is_fixed(matcher: ast.Matcher) -> bool:
    return matcher.op == ast.MatchOp.Equal and VARIABLE not in matcher.value


def _always_empty(labels: Labels) -> Iterator[str]:
    yield from (name for name, values in labels.values.items() if values == frozenset({""}))


def _foreign(matcher: ast.Matcher, values: frozenset[str]) -> Iterator[str]:
    """Yield the values in a matcher that the label never has."""
    if matcher.op in (ast.MatchOp.Equal, ast.MatchOp.NotEqual):
        asked = [matcher.value]
    else:
        # Alternatives are checked one by one: "failure|unknwon" as a whole would match something.
        asked = (
            [matcher.value] if re.search(r"[()\[\]\\]", matcher.value) else matcher.value.split("|")
        )
        values = frozenset(word for word in asked for value in values if re.fullmatch(word, value))
    yield from (word for word in asked if word not in values)


def _absent(node: ast.Expr) -> Labels:
    """Return the labels of `absent`: those that the selector matches by equality."""
    while isinstance(node, ast.ParenExpr | ast.SubqueryExpr):
        node = node.expr
    if isinstance(node, ast.MatrixSelector):
        node = node.vector_selector
    if not isinstance(node, ast.VectorSelector):
        return Labels()
    values: dict[str, Values] = {
        m.name: frozenset({m.value}) for m in node.matchers.matchers if m.op == ast.MatchOp.Equal
    }
    return Labels({name: value for name, value in values.items() if name != "__name__"})
