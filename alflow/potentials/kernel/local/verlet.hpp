// Candidates for the neighbours of one structure, kept while it moves little (Verlet 1967, doi 10.1103/PhysRev.159.98).
//
// Vectors are computed from positions and cell, and candidates are in the order of atoms and of images of the positions as given, so
// that neighbours are the same to the last bit however old the list is: a run that is resumed goes on as if it had never stopped.
#pragma once

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "local/neighbors.hpp"

namespace alflow {

class VerletList {
 public:
  explicit VerletList(double skin) : skin_(skin) {
    if (!(skin >= 0)) throw std::invalid_argument("the skin of a Verlet list must not be negative");
  }

  // Makes the list anew unless it still has all neighbours within the cutoff of a structure.
  void update(const Structures& s, double cutoff) {
    if (s.count != 1) throw std::invalid_argument("a Verlet list is of one structure");
    if (!holds(s, cutoff)) rebuild(s, cutoff);
    for (std::size_t k = 0; k < images_.size(); ++k) {
      const auto& [a, b, c] = images_[k];
      for (int d = 0; d < 3; ++d) shifts_[k][d] = a * s.cells[d] + b * s.cells[3 + d] + c * s.cells[6 + d];
    }
  }

  // As StructureSearch::append().
  void append(const Structures& s, int64_t i, std::vector<Neighbor>& out, double& closest2) const {
    const std::size_t first = out.size();
    const double *p = s.positions + 3 * i, cutoff2 = cutoff_ * cutoff_;
    out.resize(first + (first_[i + 1] - first_[i]));
    Neighbor* next = out.data() + first;
    double shortest2 = closest2;
    for (int64_t n = first_[i]; n < first_[i + 1]; ++n) {
      const auto [atom, image] = candidates_[n];
      const double* q = s.positions + 3 * atom;
      const detail::Vec3& shift = shifts_[image];
      const double dx = q[0] - p[0] + shift[0], dy = q[1] - p[1] + shift[1], dz = q[2] - p[2] + shift[2];
      const double r2 = dx * dx + dy * dy + dz * dz;
      *next = {dx, dy, dz, atom, s.types[atom]};
      next += r2 < cutoff2;  // most are kept, some are not: no branch
      shortest2 = std::min(shortest2, r2);
    }
    if (shortest2 < detail::same_place2) throw std::invalid_argument("two atoms are at the same place");
    out.resize(next - out.data());
    if (shortest2 < cutoff2) closest2 = shortest2;
  }

 private:
  using Image = std::array<int32_t, 3>;  // how many cell vectors away
  struct Candidate {
    int32_t atom, image;
  };

  // A pair at r was at r₀ = (r - δ_j + δ_i) F⁻¹, where F carries the old cell into the new one and δ are the moves beyond that. With
  // |r F⁻¹| ≤ |r| / (1 - |F - I|) it was among the candidates if r₀ cannot have been beyond cutoff + skin.
  bool holds(const Structures& s, double cutoff) const {
    if (cutoff != cutoff_ || 3 * s.offsets[1] != int64_t(positions_.size()) || !std::equal(periodic_.begin(), periodic_.end(), s.periodic))
      return false;
    double strain2 = 0, farthest2 = 0;
    std::array<detail::Vec3, 3> f;
    for (int i = 0; i < 3; ++i)
      for (int j = 0; j < 3; ++j) {
        f[i][j] = i == j;
        for (int k = 0; k < 3; ++k) f[i][j] += reciprocal_[k][i] * (s.cells[3 * k + j] - cell_[3 * k + j]);
        strain2 += (f[i][j] - (i == j)) * (f[i][j] - (i == j));
      }
    for (std::size_t i = 0; i < positions_.size(); i += 3) {
      double move2 = 0;
      for (int j = 0; j < 3; ++j) {
        const double move = s.positions[i + j] - positions_[i] * f[0][j] - positions_[i + 1] * f[1][j] - positions_[i + 2] * f[2][j];
        move2 += move * move;
      }
      if (!(move2 <= skin_ * skin_)) return false;  // far too much, or no number
      farthest2 = std::max(farthest2, move2);
    }
    return cutoff + 2 * std::sqrt(farthest2) < (cutoff + 0.999 * skin_) * (1 - std::sqrt(strain2));
  }

  void rebuild(const Structures& s, double cutoff) {
    const int64_t atoms = s.offsets[1];
    cutoff_ = std::numeric_limits<double>::quiet_NaN();  // holds for nothing until complete
    std::copy_n(s.cells, 9, cell_.begin());
    std::copy_n(s.periodic, 3, periodic_.begin());
    positions_.assign(s.positions, s.positions + 3 * atoms);
    reciprocal_ = detail::reciprocal_vectors(s.cells);
    candidates_.clear();
    images_.clear();
    first_.assign(1, 0);
    detail::StructureSearch search(s, cutoff + skin_);
    search.prepare(0);
    std::map<Image, int32_t> numbers;  // index in images_
    std::vector<Neighbor> found;
    std::vector<std::pair<int32_t, Image>> sorted;
    double closest2 = std::numeric_limits<double>::infinity();
    for (int64_t i = 0; i < atoms; ++i) {
      found.clear();
      sorted.clear();
      search.append(i, found, closest2);
      for (const Neighbor& n : found) {
        const double *p = s.positions + 3 * i, *q = s.positions + 3 * n.atom;
        const detail::Vec3 shift{n.x - q[0] + p[0], n.y - q[1] + p[1], n.z - q[2] + p[2]};
        Image image;
        for (int k = 0; k < 3; ++k) image[k] = int32_t(std::lround(detail::dot(reciprocal_[k], shift)));
        sorted.emplace_back(n.atom, image);
      }
      std::sort(sorted.begin(), sorted.end());
      for (const auto& [atom, image] : sorted) {
        const auto [number, is_new] = numbers.try_emplace(image, int32_t(images_.size()));
        if (is_new) images_.push_back(image);
        candidates_.push_back({atom, number->second});
      }
      first_.push_back(int64_t(candidates_.size()));
    }
    shifts_.resize(images_.size());
    cutoff_ = cutoff;
  }

  const double skin_;
  double cutoff_ = std::numeric_limits<double>::quiet_NaN();
  std::array<double, 9> cell_{};
  std::array<bool, 3> periodic_{};
  std::array<detail::Vec3, 3> reciprocal_{};
  std::vector<double> positions_;  // when the list was made
  std::vector<Candidate> candidates_;
  std::vector<int64_t> first_;
  std::vector<Image> images_;
  std::vector<detail::Vec3> shifts_;  // of the images, by the present cell
};

}  // namespace alflow
