"""Kernels that label the nodes of one field by the maximum at which ascent from them ends, see `flooding`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.core.extrema import neighbour
from heatpg.tools.kernels import kernel, kernel_part

__all__ = ["label_in_place", "label_nodes", "sort_ties"]

Array = NDArray[Any]

# The kernels take up to twelve arguments, because they take no classes: the field with its grid (shape, strides,
# periodic, rates), the components so far (labels, parent), and scratch, which is allocated once and not at every node.


@kernel
def _root(parent: Array, c: int) -> int:
    """Component that c has been merged into; the way there is shortened."""
    # union-find with halving of paths: each component on the way skips its next one
    while parent[c] != c:
        parent[c] = parent[parent[c]]
        c = parent[c]
    return c


@kernel
def _slope(u: Array, q: int, i: int, n: int, stride: int, periodic: bool) -> float:
    """Difference of u at node q along one axis, where its index is i of n: (u[i+1] - u[i-1]) / 2; one-sided at an edge.

    Of second order inside, of first at an edge that is not periodic.
    """
    difference: float
    if 0 < i < n - 1:
        difference = 0.5 * (u[q + stride] - u[q - stride])
    elif periodic:
        after = q + stride if i < n - 1 else q - (n - 1) * stride
        before = q - stride if i > 0 else q + (n - 1) * stride
        difference = 0.5 * (u[after] - u[before])
    elif i == 0:
        difference = u[q + stride] - u[q]
    else:
        difference = u[q] - u[q - stride]
    return difference


@kernel_part
def _corner(corner: int, cell: Array, share: Array, shape: Array, strides: Array) -> tuple[int, float]:
    """Node at a corner of a cell, and its linear weight: 0 off a face on which the point lies, where it has no say."""
    weight = 1.0
    q = 0
    # bit a of `corner`: whether it is the lower or the upper one along axis a
    for a in range(shape.shape[0]):
        if corner >> a & 1:
            weight *= share[a]
            i = cell[a] + 1
            if i == shape[a]:
                i = 0
        else:
            weight *= 1.0 - share[a]
            i = cell[a]
        q += i * strides[a]
    return q, weight


@kernel
def _ascent(
    u: Array,
    x: Array,
    shape: Array,
    strides: Array,
    periodic: Array,
    rates: Array,
    direction: Array,
    cell: Array,
    share: Array,
) -> int:
    """The direction of ascent at a point between the nodes; returns the highest node around it.

    In index units x_i' = (1 / h_i^2) D_i u, the differences D_i u of the corners of the cell interpolated linearly,
    scaled to max |x_i'| = 1; at an edge the part that leads out is left away.
    """
    d = x.shape[0]
    for a in range(d):
        direction[a] = 0.0
        cell[a] = min(math.floor(x[a]), shape[a] - 1)
        share[a] = x[a] - cell[a]
    top = -1
    for corner in range(1 << d):
        q, weight = _corner(corner, cell, share, shape, strides)
        if weight <= 0.0:
            continue
        for a in range(d):
            i = q // strides[a] % shape[a]
            direction[a] += weight * _slope(u, q, i, shape[a], strides[a], periodic[a])
        if top < 0 or u[q] > u[top]:
            top = q
    most = 0.0
    for a in range(d):
        direction[a] *= rates[a]
        if not periodic[a] and ((x[a] <= 0.0 and direction[a] < 0.0) or (x[a] >= shape[a] - 1 and direction[a] > 0.0)):
            direction[a] = 0.0
        most = max(most, abs(direction[a]))
    if most > 0.0:
        for a in range(d):
            direction[a] /= most
    return top


@kernel
def _product(x: Array, y: Array) -> float:
    """sum_a x_a y_a."""
    total = 0.0
    for a in range(x.shape[0]):
        total += x[a] * y[a]
    return total


@kernel
def _move(x: Array, direction: Array, step: float, shape: Array, periodic: Array, out: Array) -> None:
    """A point moved along a direction, held in the box or wrapped around it."""
    for a in range(x.shape[0]):
        y = x[a] + step * direction[a]
        if periodic[a]:
            y %= shape[a]
            if y >= shape[a]:  # the remainder of a tiny negative number rounds to the divisor
                y = 0.0
        else:
            y = min(max(y, 0.0), shape[a] - 1.0)
        out[a] = y


@kernel
def _precedes(u: Array, q: int, p: int) -> bool:
    """Whether node q is labelled before node p: from the highest down, and equal ones in the order of their indices."""
    earlier: bool = u[q] > u[p] or (u[q] == u[p] and q < p)
    return earlier


@kernel
def _agreement(
    u: Array, start: int, cell: Array, share: Array, labels: Array, parent: Array, shape: Array, strides: Array
) -> tuple[int, int]:
    """Component of all nodes around a point, -1 if they differ; and one that has to be labelled first, or -1.

    Where one does not precede the start they do not agree, whatever the labels of the others will be.
    """
    agreed, missing = -2, -1  # no corner yet
    for corner in range(1 << shape.shape[0]):
        q, weight = _corner(corner, cell, share, shape, strides)
        if weight <= 0.0:
            continue
        if not _precedes(u, q, start):
            return -1, -1
        c = labels[q]
        if c < 0:
            missing = q
            continue
        c = _root(parent, c)
        if agreed == -2:
            agreed = c
        elif agreed != c:
            agreed = -1
    return agreed, missing


@kernel
def _follow(
    u: Array,
    start: int,
    labels: Array,
    parent: Array,
    shape: Array,
    strides: Array,
    periodic: Array,
    rates: Array,
    step: float,
    limit: int,
    work: Array,
    cell: Array,
) -> tuple[int, int]:
    """Node at which the path from a node has come among nodes that agree, by midpoint steps; -1 if it gets lost.

    And a node that has to be labelled first, or -1: from the highest down there is none.
    """
    x, middle, direction, ahead, share = work[0], work[1], work[2], work[3], work[4]
    d = x.shape[0]
    for a in range(d):
        x[a] = start // strides[a] % shape[a]
        ahead[a] = 0.0
    top = start
    for number in range(limit):
        top = _ascent(u, x, shape, strides, periodic, rates, direction, cell, share)
        agreed, missing = _agreement(u, start, cell, share, labels, parent, shape, strides)
        if missing >= 0:
            return -1, missing
        # among nodes that agree; or among nodes that the start precedes: it does not climb
        if agreed >= 0 or (number > 0 and not _precedes(u, top, start)):
            break
        turn = _product(direction, ahead)
        _move(x, direction, 0.5 * step, shape, periodic, middle)
        _ascent(u, middle, shape, strides, periodic, rates, ahead, cell, share)
        # a path that turns back, or stops, has reached a maximum, a saddle, or what the grid does not resolve
        if turn < 0.0 or _product(direction, ahead) <= 0.0:
            break
        _move(x, ahead, step, shape, periodic, x)
    # only a node above the start has been labelled for good
    return (top if u[top] > u[start] else -1), -1


@kernel
def _most_steps(shape: Array) -> int:
    """Of a path: enough to cross the box twice along every axis."""
    limit = 8
    for a in range(shape.shape[0]):
        limit += 2 * shape[a]
    return limit


@kernel
def sort_ties(u: Array, order: Array) -> None:
    """Bring nodes of equal value into the order of their indices: the sort is faster where it need not keep it."""
    first = 0
    for k in range(1, order.shape[0] + 1):
        if k == order.shape[0] or u[order[k]] != u[order[first]]:
            if k - first > 1:
                tied = np.sort(order[first:k])
                for i in range(k - first):
                    order[first + i] = tied[i]
            first = k


@kernel
def label_nodes(
    u: Array,
    order: Array,
    shape: Array,
    strides: Array,
    periodic: Array,
    offsets: Array,
    moves: Array,
    closeness: Array,
    rates: Array,
    step: float,
    tolerance: float,
) -> tuple[Array, Array, Array, Array]:
    """Component of every node, from the highest down; and of every component its top, its root, and whether flat.

    A node without a higher neighbour begins a component, or joins that of an equal one. Where components meet, those
    whose top is no more than the tolerance above the place are merged into the one with the highest top.

    Invariant: all nodes before `order[k]` have a label, and so do those through which ascent from `order[k]` leads.
    """
    d = shape.shape[0]
    n = u.shape[0]
    labels = np.full(n, -1, dtype=np.int32)
    parent = np.empty(n, dtype=np.int32)
    tops = np.empty(n, dtype=np.int64)
    flat = np.zeros(n, dtype=np.bool_)
    near = np.empty(offsets.shape[0], dtype=np.int64)
    work = np.empty((5, d))
    cell = np.empty(d, dtype=np.int64)
    limit = _most_steps(shape)
    count = 0
    for k in range(n):
        p = order[k]
        v = u[p]
        # Of a node that is on no face the neighbours are found by adding offsets; -1 stands for beyond the box.
        inside = True
        for a in range(d):
            i = p // strides[a] % shape[a]
            inside = inside and 0 < i < shape[a] - 1
        level = True  # whether all neighbours agree with it within the tolerance
        several = False  # whether its labelled neighbours are of more than one component
        steepest = -1  # the higher neighbour in the direction of the steepest slope
        equal = -1  # a neighbour on the top of its component, at the same height: a plateau
        highest = -1  # of the components around it the one with the highest top
        best = 0.0
        for j in range(offsets.shape[0]):
            r = p + moves[j] if inside else neighbour(p, offsets[j], shape, periodic)
            near[j] = r
            if r < 0:
                continue
            x = u[r]
            level = level and abs(x - v) <= tolerance
            if labels[r] < 0:
                continue
            if x > v:
                slope = (x - v) * closeness[j]
                if steepest < 0 or slope > best:
                    best = slope
                    steepest = r
            elif equal < 0 and u[tops[labels[r]]] == v:
                equal = r
            c = _root(parent, labels[r])
            if highest < 0:
                highest = c
            elif c != highest:
                several = True
                if u[tops[c]] > u[tops[highest]] or (u[tops[c]] == u[tops[highest]] and c < highest):
                    highest = c
        if steepest < 0 and equal < 0:
            parent[count] = count
            tops[count] = p
            labels[p] = count
            if highest >= 0:  # next to an equal node that has a higher neighbour: a shelf
                parent[count] = highest
            count += 1
        else:
            disputed = False
            if several:
                # Persistence: this is the pass between the components around the node. A maximum that rises no more
                # than the tolerance above it is round-off, and goes to the one with the highest top.
                agreed = -1
                for j in range(offsets.shape[0]):
                    r = near[j]
                    if r < 0 or labels[r] < 0:
                        continue
                    c = _root(parent, labels[r])
                    if c != highest and u[tops[c]] - v <= tolerance:
                        parent[c] = highest
                        c = highest
                    if u[r] > v:
                        disputed = disputed or (agreed >= 0 and c != agreed)
                        agreed = c
            # Higher neighbours that agree settle it; only at a boundary is the path followed, and where that fails
            # (values that jump from node to node) the steepest slope decides.
            found = -1
            if disputed:
                found, _ = _follow(u, p, labels, parent, shape, strides, periodic, rates, step, limit, work, cell)
            if found < 0:
                found = steepest if steepest >= 0 else equal
            labels[p] = labels[found]
        # a level stretch at the top of its component: if that is no maximum in the end, ascent stalls on it
        c = labels[p]
        if level and u[tops[c]] - v <= tolerance:
            flat[c] = True
    return labels, tops[:count].copy(), parent[:count].copy(), flat[:count].copy()


@kernel
def label_in_place(
    u: Array,
    inside: Array,
    shape: Array,
    strides: Array,
    periodic: Array,
    offsets: Array,
    moves: Array,
    closeness: Array,
    rates: Array,
    step: float,
    tolerance: float,
) -> tuple[bool, Array, Array]:
    """Labels and tops as `label_nodes` makes them, but for the order of the tops, where none are merged.

    A node needs the labels of nodes that precede it, its neighbours and those along its path, and no others. So nodes
    are taken as they lie in memory, each after those that it waits for, and nothing is sorted. False where components
    are merged, which depends on the order from the highest down: then nothing of this counts. `inside` tells which
    nodes are on no face, so that their neighbours are found by adding offsets.
    """
    d = shape.shape[0]
    n = u.shape[0]
    labels = np.full(n, -1, dtype=np.int32)
    parent = np.empty(n, dtype=np.int32)  # nothing is merged: each component is its own
    tops = np.empty(n, dtype=np.int64)
    waiting = np.empty(n, dtype=np.int64)  # each for the next one, which precedes it
    work = np.empty((5, d))
    cell = np.empty(d, dtype=np.int64)
    limit = _most_steps(shape)
    count = 0
    for first in range(n):
        if labels[first] >= 0:
            continue
        waiting[0] = first
        depth = 1
        while depth > 0:
            p = waiting[depth - 1]
            v = u[p]
            missing = -1
            steepest = -1
            best = 0.0
            one = -1
            several = False
            disputed = False
            agreed = -1
            tied = False
            lowest = np.inf  # of the tops around it
            for j in range(offsets.shape[0]):
                r = p + moves[j] if inside[p] else neighbour(p, offsets[j], shape, periodic)
                if r < 0:
                    continue
                x = u[r]
                if x < v or (x == v and r > p):
                    continue
                c = labels[r]
                if c < 0:
                    missing = r
                    break
                if x > v:
                    slope = (x - v) * closeness[j]
                    if steepest < 0 or slope > best:
                        best = slope
                        steepest = r
                    disputed = disputed or (agreed >= 0 and c != agreed)
                    agreed = c
                else:
                    tied = True
                several = several or (one >= 0 and c != one)
                one = c
                lowest = min(lowest, u[tops[c]])
            if missing >= 0:
                waiting[depth] = missing
                depth += 1
                continue
            # a plateau or a shelf, or a pass at which a maximum counts as round-off of a higher one
            if (tied and steepest < 0) or (several and lowest - v <= tolerance):
                return False, labels, tops
            if steepest < 0:
                tops[count] = p
                labels[p] = count
                parent[count] = count
                count += 1
            else:
                found = -1
                if disputed:
                    found, missing = _follow(
                        u, p, labels, parent, shape, strides, periodic, rates, step, limit, work, cell
                    )
                if found < 0:
                    found = steepest
                if missing < 0 and labels[found] < 0:
                    missing = found
                if missing >= 0:
                    waiting[depth] = missing
                    depth += 1
                    continue
                labels[p] = labels[found]
            depth -= 1
    return True, labels, tops[:count].copy()
