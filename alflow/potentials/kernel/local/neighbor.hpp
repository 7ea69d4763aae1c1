// A neighbor, and what a potential asks of the code that finds neighbors: this kernel's own search or another program's list.
#pragma once

#include <concepts>
#include <cstdint>

namespace alflow {

struct Neighbor {
  double x, y, z;  // r_j - r_i
  int32_t atom, type;
  Neighbor() {}  // a list that grows is not filled with zeros first
  Neighbor(double x, double y, double z, int32_t atom, int32_t type) : x(x), y(y), z(z), atom(atom), type(type) {}
};

// A neighbor source knows the neighbors of one block of atoms at a time:
//
//   source.find(begin, end)   makes the atoms [begin, end) the block. Blocks follow each other and cover the range that is evaluated.
//   source.begin(atom)        the neighbors of an atom of the block, side by side in memory until the next find(). All within the
//                             cutoff are there once, and none at or beyond it or at the place of the atom itself.
//   source.count(atom)        their number.
//   source.type(atom)         the species of an atom of the block, from 0 on; that of a neighbor is Neighbor::type.
//   source.structure(atom)    the row of the virials to which an atom of the block adds.
//
// An atom is a number from 0 on, the row of what is written for it. Neighbor::atom may be any number for which the caller's array
// of forces has a row, above all that of a ghost, an atom of another process or a periodic image behind the atoms that are evaluated:
// the force on it is added to its own row, and the caller hands it on to the atom that the ghost stands for.
template <class Source>
concept NeighborSource = requires(Source& source, const Source& found, int64_t atom) {
  source.find(atom, atom);
  { found.begin(atom) } -> std::same_as<const Neighbor*>;
  { found.count(atom) } -> std::same_as<int>;
  { found.type(atom) } -> std::convertible_to<int32_t>;
  { found.structure(atom) } -> std::convertible_to<int64_t>;
};

}  // namespace alflow
