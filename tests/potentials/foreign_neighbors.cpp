// Stands for another program that has neighbor lists of its own, with ghosts: full lists of indices, longer than the cutoff.
#include <cstdint>
#include <vector>

#include "mtp/evaluate.hpp"

namespace {

struct ForeignLists {
  double cutoff;
  const double* positions;    // (atoms and ghosts, 3)
  const int32_t* types;       // (atoms and ghosts)
  const int64_t* first;       // (atoms + 1)
  const int32_t* neighbors;   // indices of atoms and ghosts
  const int64_t* structures;  // (atoms)

  void find(int64_t begin, int64_t end) {
    begin_ = begin;
    found_.clear();
    ends_.assign(1, 0);
    for (int64_t i = begin; i < end; ++i) {
      const double* r = positions + 3 * i;
      for (int64_t n = first[i]; n < first[i + 1]; ++n) {
        const int32_t j = neighbors[n];
        const double *q = positions + 3 * j, x = q[0] - r[0], y = q[1] - r[1], z = q[2] - r[2];
        if (x * x + y * y + z * z < cutoff * cutoff) found_.push_back({x, y, z, j, types[j]});
      }
      ends_.push_back(int64_t(found_.size()));
    }
  }
  const alflow::Neighbor* begin(int64_t i) const { return found_.data() + ends_[i - begin_]; }
  int count(int64_t i) const { return int(ends_[i - begin_ + 1] - ends_[i - begin_]); }
  int32_t type(int64_t i) const { return types[i]; }
  int64_t structure(int64_t i) const { return structures[i]; }

  int64_t begin_ = 0;
  std::vector<alflow::Neighbor> found_;
  std::vector<int64_t> ends_;
};

}  // namespace

extern "C" void evaluate_foreign(int species_count, int radial_count, int chebyshev_count, double cutoff, double min_distance,
                                 double scaling, const double* radial, const double* species_energies, const double* moment_coefficients,
                                 const int32_t* basic, int n_basic, const int32_t* times, int n_times, const int32_t* scalars,
                                 int n_scalars, int n_moments, const double* positions, const int32_t* types, const int64_t* first,
                                 const int32_t* neighbors, const int64_t* structures, int64_t begin, int64_t end,
                                 const double* grade_matrix, int rank, double* energies, double* forces, double* virials, double* grades) {
  alflow::Potential p;
  p.species_count = species_count;
  p.radial_count = radial_count;
  p.chebyshev_count = chebyshev_count;
  p.cutoff = cutoff;
  p.min_distance = min_distance;
  p.scaling = scaling;
  p.radial.assign(radial, radial + species_count * species_count * radial_count * chebyshev_count);
  for (double& c : p.radial) c *= scaling;
  p.species_energies.assign(species_energies, species_energies + species_count);
  p.moment_coefficients.assign(moment_coefficients, moment_coefficients + n_scalars);
  p.set_tables(basic, n_basic, times, n_times, scalars, n_scalars, n_moments);
  ForeignLists lists{cutoff, positions, types, first, neighbors, structures};
  alflow::Output out{.energies = energies, .forces = forces, .virials = virials};
  if (rank > 0) {
    out.grade_matrix = grade_matrix;
    out.rank = rank;
    out.grades = grades;
  }
  alflow::evaluate_range(p, lists, begin, end, out);
}
