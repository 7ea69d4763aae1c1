"""The contraction tables of a moment tensor potential of a given level.

A basis function B_α is a full contraction of a product of moments M_{μ,ν}: a multigraph whose nodes are
moments, with as many edges at a node as the moment has indices (Shapeev 2016, doi 10.1137/15M1054183, section
2.4). Graphs that differ only by the order of their nodes are the same function. As in MLIP-2, a function
multiplies at most four moments, which gives the well-known counts of basis functions (1, 2, 5, 9, 16, 29, 52,
92, ... at levels 2, 4, 6, ...).

A table evaluates all functions by products of numbers: `times` holds rows (i, j, factor, k) that mean m[k] +=
factor·m[i]·m[j]. Functions are contracted pair by pair; every intermediate tensor component is computed once
and shared.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import combinations_with_replacement, permutations, product
from math import comb, factorial, prod

import numpy as np
from numpy.typing import NDArray

MAX_MOMENTS = 4
"""Largest number of moments that a basis function multiplies (MLIP-2's convention; five-body functions)."""

Moment = tuple[int, int]
Exponents = tuple[int, int, int]
Edges = tuple[tuple[int, ...], ...]
"""Symmetric matrix; each entry is the number of indices that two moments contract with each other."""


@dataclass(frozen=True, eq=False)
class ContractionTables:
    """Tables to compute basis functions from the basic moments, as in an MLIP-2 `.mtp` file.

    Attributes
    ----------
    basic : (n_basic, 4) int
        Rows (μ, a, b, c): the basic moment Σ_j f_μ(r_j) x̂^a ŷ^b ẑ^c.
    times : (n_times, 4) int
        Rows (i, j, factor, k): m[k] += factor · m[i] · m[j], in order.
    scalars : (n_functions,) int
        Indices of the moments that are the basis functions B_α.
    moment_count : int
        Number of all moments, basic and composed.
    """

    basic: NDArray[np.int32]
    times: NDArray[np.int32]
    scalars: NDArray[np.int32]
    moment_count: int

    @property
    def radial_function_count(self) -> int:
        """Number of radial functions f_μ that the basic moments use."""
        return int(self.basic[:, 0].max()) + 1


def moment_level(moment: Moment) -> int:
    """Level 2 + 4μ + ν of the moment (μ, ν)."""
    mu, nu = moment
    return 2 + 4 * mu + nu


@cache
def contraction_tables(level: int) -> ContractionTables:
    """Tables with all basis functions up to `level`.

    Parameters
    ----------
    level : int
        Even, 2 to 24 or more.

    Raises
    ------
    ValueError
        If the level is odd or below 2.
    """
    if level < 2 or level % 2:
        raise ValueError(f"level must be an even number from 2 upwards, not {level}")
    builder = _TableBuilder()
    scalars = [builder.scalar(nodes, edges) for nodes, edges in basis_functions(level)]
    return builder.tables(scalars)


def basis_functions(level: int) -> list[tuple[tuple[Moment, ...], Edges]]:
    """All scalar contraction graphs up to `level`, without duplicates: (moments, edges), simplest first."""
    largest_mu = (level - 2) // 4
    moments = sorted(
        (mu, nu)
        for mu in range(largest_mu + 1)
        for nu in range(level)
        if moment_level((mu, nu)) + (nu and moment_level((0, nu))) <= level
    )
    found: list[tuple[tuple[Moment, ...], Edges]] = []
    for count in range(1, MAX_MOMENTS + 1):
        for nodes in combinations_with_replacement(moments, count):
            if sum(map(moment_level, nodes)) <= level:
                seen = {_canonical(nodes, edges) for edges in _edge_matrices([nu for _, nu in nodes])}
                found += [(nodes, edges) for edges in sorted(seen)]
    return found


def _edge_matrices(degrees: list[int]) -> Iterator[Edges]:
    """All symmetric matrices of non-negative integers with zero diagonal and the given row sums."""
    if not degrees:
        yield ()
        return
    first, rest = degrees[0], degrees[1:]
    for row in _compositions(first, rest):
        for sub in _edge_matrices([degree - taken for degree, taken in zip(rest, row, strict=True)]):
            yield ((0, *row), *((taken, *line) for taken, line in zip(row, sub, strict=True)))


def _compositions(total: int, limits: list[int]) -> Iterator[tuple[int, ...]]:
    """All ways to write `total` as an ordered sum with the given upper limits."""
    if not limits:
        if total == 0:
            yield ()
        return
    for first in range(min(total, limits[0]) + 1):
        for rest in _compositions(total - first, limits[1:]):
            yield (first, *rest)


def _canonical(nodes: tuple[Moment, ...], edges: Edges) -> Edges:
    """The largest edge matrix among those that permutations of equal moments give."""
    return max(_permuted(edges, order) for order in _symmetries(nodes))


@cache
def _symmetries(nodes: tuple[Moment, ...]) -> list[tuple[int, ...]]:
    return [p for p in permutations(range(len(nodes))) if tuple(nodes[i] for i in p) == nodes]


def _permuted(edges: Edges, order: tuple[int, ...]) -> Edges:
    return tuple(tuple(edges[i][j] for j in order) for i in order)


@cache
def _monomials(rank: int) -> list[Exponents]:
    return [(a, b, rank - a - b) for a in range(rank, -1, -1) for b in range(rank - a, -1, -1)]


def _multinomial(exponents: Exponents) -> int:
    return factorial(sum(exponents)) // prod(map(factorial, exponents))


Tensor = tuple[tuple[Moment, ...], Edges]
"""Moments and the indices they have contracted so far; the remaining indices of each moment are open and
symmetric."""
Component = tuple[Exponents, ...]
"""One component of a tensor: the exponents of the open indices of each of its moments."""


class _TableBuilder:
    """Builder that collects tensor components, each computed once, and the products that give them."""

    def __init__(self) -> None:
        self._index: dict[tuple[Tensor, Component], int] = {}
        self._products: list[tuple[int, int, int, int]] = []
        self._basic: dict[int, tuple[int, int, int, int]] = {}

    def scalar(self, nodes: tuple[Moment, ...], edges: Edges) -> int:
        """Index of the moment that holds the basis function of this graph."""
        return self._component((nodes, edges), ((0, 0, 0),) * len(nodes))

    def tables(self, scalars: list[int]) -> ContractionTables:
        """The tables in MLIP-2's order: basic moments first, sorted by μ and rank."""
        basic = sorted(
            self._basic,
            key=lambda i: (self._basic[i][0], sum(self._basic[i][1:]), _descending(self._basic[i])),
        )
        composed = [k for k in range(len(self._index)) if k not in self._basic]
        new = {old: index for index, old in enumerate(basic + composed)}
        times = [(new[i], new[j], factor, new[k]) for i, j, factor, k in self._products]
        return ContractionTables(
            basic=np.array([self._basic[i] for i in basic], dtype=np.int32).reshape(-1, 4),
            times=np.array(times, dtype=np.int32).reshape(-1, 4),
            scalars=np.array([new[i] for i in scalars], dtype=np.int32),
            moment_count=len(new),
        )

    def _component(self, tensor: Tensor, component: Component) -> int:
        nodes, _ = tensor
        if len(nodes) == 1:
            return self._basic_moment(nodes[0], component[0])
        key = _canonical_component(tensor, component)
        if key not in self._index:
            terms = self._terms(*key)
            self._index[key] = len(self._index)
            self._products += [(i, j, factor, self._index[key]) for (i, j), factor in terms.items()]
        return self._index[key]

    def _basic_moment(self, moment: Moment, exponents: Exponents) -> int:
        key = (((moment,), ((0,),)), (exponents,))
        if key not in self._index:
            self._index[key] = len(self._index)
            self._basic[self._index[key]] = (moment[0], *exponents)
        return self._index[key]

    def _terms(self, tensor: Tensor, component: Component) -> dict[tuple[int, int], int]:
        """Products of components of two parts of the tensor that sum to this component."""
        _, edges = tensor
        left, right = _best_split(tensor)
        between = [(i, j) for i in left for j in right if edges[i][j]]
        terms: dict[tuple[int, int], int] = {}
        for contracted in product(*(_monomials(edges[i][j]) for i, j in between)):
            open_indices = [list(exponents) for exponents in component]
            for (i, j), exponents in zip(between, contracted, strict=True):
                for axis in range(3):
                    open_indices[i][axis] += exponents[axis]
                    open_indices[j][axis] += exponents[axis]
            pair = [
                self._component(
                    _part(tensor, half), tuple((e[0], e[1], e[2]) for e in (open_indices[i] for i in half))
                )
                for half in (left, right)
            ]
            first, second = sorted(pair)
            terms[first, second] = terms.get((first, second), 0) + prod(map(_multinomial, contracted))
        return terms


def _descending(basic: tuple[int, int, int, int]) -> tuple[int, int]:
    return -basic[1], -basic[2]


def _part(tensor: Tensor, half: tuple[int, ...]) -> Tensor:
    nodes, edges = tensor
    return tuple(nodes[i] for i in half), tuple(tuple(edges[i][j] for j in half) for i in half)


def _canonical_component(tensor: Tensor, component: Component) -> tuple[Tensor, Component]:
    """The same component with its moments in canonical order, so that equal components compare equal."""
    nodes, edges = tensor
    orders = permutations(range(len(nodes)))
    candidates = (
        (tuple(nodes[i] for i in order), _permuted(edges, order), tuple(component[i] for i in order))
        for order in orders
    )
    best_nodes, best_edges, best_component = max(candidates)
    return (best_nodes, best_edges), best_component


@cache
def _best_split(tensor: Tensor) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Split the moments into two parts with the fewest multiplications: contracted components × open
    components of the parts."""
    nodes, edges = tensor
    indices = range(len(nodes))
    splits = [
        (half, tuple(i for i in indices if i not in half))
        for mask in range(1, 2 ** (len(nodes) - 1))
        for half in [tuple(i for i in indices if mask >> i & 1)]
    ]
    return min(splits, key=lambda split: _split_cost(nodes, edges, *split))


def _split_cost(
    nodes: tuple[Moment, ...], edges: Edges, left: tuple[int, ...], right: tuple[int, ...]
) -> int:
    def components(rank: int) -> int:
        return comb(rank + 2, 2)

    cost = prod(components(edges[i][j]) for i in left for j in right)
    for half in (left, right):
        if len(half) > 1:
            inner = [sum(edges[i][j] for j in half) for i in half]
            cost += prod(components(nodes[i][1] - taken) for i, taken in zip(half, inner, strict=True))
    return cost
