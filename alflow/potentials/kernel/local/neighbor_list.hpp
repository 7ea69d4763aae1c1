// Neighbours of a range of atoms at a time, so that memory does not grow with the number of atoms.
#pragma once

#include "local/neighbor.hpp"
#include "local/neighbors.hpp"
#include "local/verlet.hpp"

namespace alflow {

class NeighborList {
 public:
  // With a Verlet list, which must be up to date, nothing is searched.
  NeighborList(const Structures& s, double cutoff, const VerletList* kept = nullptr)
      : s_(s), kept_(kept), search_(s, cutoff), closest2_(s.count, std::numeric_limits<double>::infinity()) {}

  // Replaces the list by that of the atoms [begin, end), which may belong to several structures.
  void find(int64_t begin, int64_t end) {
    begin_ = begin;
    neighbors_.clear();
    structures_.clear();
    first_.assign(1, 0);
    for (int64_t atom = begin; atom < end; ++atom) {
      if (kept_) kept_->append(s_, atom, neighbors_, closest2_[structure_ = 0]);
      else search(atom);
      first_.push_back(int64_t(neighbors_.size()));
      structures_.push_back(structure_);
    }
  }

  const Neighbor* begin(int64_t atom) const { return neighbors_.data() + first_[atom - begin_]; }
  int count(int64_t atom) const { return int(first_[atom - begin_ + 1] - first_[atom - begin_]); }
  int32_t type(int64_t atom) const { return s_.types[atom]; }
  int structure(int64_t atom) const { return structures_[atom - begin_]; }

  // Shortest distance in a structure, as far as its atoms have been asked for.
  double min_distance(int structure) const { return std::sqrt(closest2_[structure]); }

 private:
  void search(int64_t atom) {
    if (structure_ < 0 || atom < s_.offsets[structure_] || atom >= s_.offsets[structure_ + 1]) {
      structure_ = int(std::upper_bound(s_.offsets, s_.offsets + s_.count + 1, atom) - s_.offsets) - 1;
      search_.prepare(structure_);
    }
    search_.append(atom, neighbors_, closest2_[structure_]);
  }

  const Structures& s_;
  const VerletList* kept_;
  detail::StructureSearch search_;
  std::vector<double> closest2_;
  int structure_ = -1;
  int64_t begin_ = 0;
  std::vector<int64_t> first_;
  std::vector<int> structures_;
  std::vector<Neighbor> neighbors_;
};

static_assert(NeighborSource<NeighborList>);

}  // namespace alflow
