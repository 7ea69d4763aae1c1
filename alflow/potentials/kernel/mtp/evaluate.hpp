// Energies, forces, virials, basis values, parameter gradients and grades of many atoms.
#pragma once

#include <algorithm>
#include <exception>
#include <numeric>
#include <vector>

#include "local/neighbor.hpp"
#include "local/neighbor_list.hpp"
#include "local/threads.hpp"
#include "mtp/batch.hpp"
#include "mtp/potential.hpp"

namespace alflow {

constexpr int64_t block_size = 128;  // atoms whose neighbours are kept at a time: they fit into the second-level cache

// Adds the atoms [begin, end) to `out`, by one thread. Another program gives its own neighbours as the source (see NeighborSource) and
// arrays in which its ghosts have rows. For the same `begin` and the same neighbours in the same order the result is the same.
template <NeighborSource Source>
void evaluate_range(const Potential& p, Source& source, int64_t begin, int64_t end, const Output& out) {
  detail::BatchEvaluator<Source> evaluator(p, source);
  std::vector<int32_t> order;
  for (int64_t block_end; begin < end; begin = block_end) {
    block_end = std::min(begin + block_size, end);
    source.find(begin, block_end);
    // Atoms with like numbers of neighbours share a batch.
    order.resize(block_end - begin);
    std::iota(order.begin(), order.end(), int32_t(begin));
    std::stable_sort(order.begin(), order.end(), [&](int32_t i, int32_t j) {
      if (out.grades && source.type(i) != source.type(j)) return source.type(i) < source.type(j);  // grades are computed species by species
      return source.count(i) < source.count(j);
    });
    for (int64_t i = 0; i < block_end - begin; i += W)
      evaluator.run(order.data() + i, int(std::min<int64_t>(W, block_end - begin - i)), out);
  }
}

// Fills `out`, whose forces and virials must be zero, and the shortest distance in every structure. Threads take contiguous ranges of
// atoms, so that the result is the same for the same number of threads. `kept`, if any, is the Verlet list of a single structure.
inline void evaluate(const Potential& p, const Structures& s, int threads, VerletList* kept, const Output& out, double* min_distances) {
  const int64_t atoms = s.offsets[s.count];
  if (kept) kept->update(s, p.cutoff);
  threads = int(std::max<int64_t>(1, std::min<int64_t>(threads, atoms / block_size)));
  const auto share = [&](int t) { return t == threads ? atoms : atoms * t / threads / W * W; };  // where a thread begins
  std::vector<std::vector<double>> forces(threads), virials(threads), distances(threads);
  std::vector<std::exception_ptr> errors(threads);
  const auto work = [&](int t) {
    try {
      Output own = out;
      if (t > 0 && out.forces) {
        forces[t].assign(3 * atoms, 0.0);
        virials[t].assign(9 * s.count, 0.0);
        own.forces = forces[t].data();
        own.virials = virials[t].data();
      }
      NeighborList list(s, p.cutoff, kept);
      evaluate_range(p, list, share(t), share(t + 1), own);
      for (int i = 0; i < s.count; ++i) distances[t].push_back(list.min_distance(i));
    } catch (...) {
      errors[t] = std::current_exception();
    }
  };
  if (threads == 1) work(0);
  else ThreadCrew::run(threads, work);
  for (auto& error : errors)
    if (error) std::rethrow_exception(error);
  for (int t = 1; t < threads && out.forces; ++t) {
    for (int64_t i = 0; i < 3 * atoms; ++i) out.forces[i] += forces[t][i];
    for (int64_t i = 0; i < 9 * s.count; ++i) out.virials[i] += virials[t][i];
  }
  for (int i = 0; i < s.count; ++i) {
    min_distances[i] = distances[0][i];
    for (int t = 1; t < threads; ++t) min_distances[i] = std::min(min_distances[i], distances[t][i]);
  }
}

}  // namespace alflow
