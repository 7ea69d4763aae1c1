// Python bindings of the kernel. The same source is compiled once for each instruction set (see CMakeLists.txt).
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>

#include <memory>
#include <optional>

#include "mtp/evaluate.hpp"
#include "mtp/jacobian.hpp"

namespace nb = nanobind;
using namespace nb::literals;
using namespace alflow;

template <class T, class Shape>
using In = nb::ndarray<const T, Shape, nb::c_contig, nb::device::cpu>;
using Numpy = nb::ndarray<nb::numpy, double>;

static double* zeros(std::size_t n) { return new double[n](); }

static Numpy owned(double* data, std::initializer_list<std::size_t> shape) {
  return Numpy(data, shape, nb::capsule(data, [](void* p) noexcept { delete[] static_cast<double*>(p); }));
}

static Potential make_potential(double cutoff, double min_distance, double scaling, In<double, nb::ndim<4>> radial,
                                In<double, nb::ndim<1>> species_energies, In<double, nb::ndim<1>> moment_coefficients,
                                In<int32_t, nb::shape<-1, 4>> basic, In<int32_t, nb::shape<-1, 4>> times, In<int32_t, nb::ndim<1>> scalars,
                                int moment_count, std::optional<In<double, nb::shape<-1, -1, 4>>> core) {
  Potential p;
  p.species_count = int(radial.shape(0));
  p.radial_count = int(radial.shape(2));
  p.chebyshev_count = int(radial.shape(3));
  p.cutoff = cutoff;
  p.min_distance = min_distance;
  p.scaling = scaling;
  p.radial.assign(radial.data(), radial.data() + radial.size());
  for (double& c : p.radial) c *= scaling;
  p.species_energies.assign(species_energies.data(), species_energies.data() + species_energies.size());
  p.moment_coefficients.assign(moment_coefficients.data(), moment_coefficients.data() + moment_coefficients.size());
  if (core) {
    p.core.species_count = p.species_count;
    const double* row = core->data();  // of each pair of species: two atomic numbers, inner, outer
    for (int pair = 0; pair < p.species_count * p.species_count; ++pair, row += 4) p.core.add({row[0], row[1], row[2], row[3]});
  }
  p.set_tables(basic.data(), int(basic.shape(0)), times.data(), int(times.shape(0)), scalars.data(), int(scalars.size()), moment_count);
  return p;
}

struct StructureArrays {
  In<double, nb::shape<-1, 3>> positions;
  In<int32_t, nb::ndim<1>> types;
  In<double, nb::shape<-1, 3, 3>> cells;
  In<bool, nb::shape<-1, 3>> periodic;
  In<int64_t, nb::ndim<1>> offsets;

  Structures view() const { return {int(cells.shape(0)), offsets.data(), positions.data(), cells.data(), periodic.data(), types.data()}; }
};

NB_MODULE(KERNEL_MODULE, m) {
  nb::class_<Potential>(m, "Potential").def_prop_ro("parameter_count", &Potential::parameter_count);
  m.def("make_potential", &make_potential, "cutoff"_a, "min_distance"_a, "scaling"_a, "radial"_a, "species_energies"_a,
        "moment_coefficients"_a, "basic"_a, "times"_a, "scalars"_a, "moment_count"_a, "core"_a.none() = nb::none());
  nb::class_<VerletList>(m, "VerletList").def(nb::init<double>(), "skin_A"_a);

  m.def(
      "evaluate",
      [](const Potential& p, In<double, nb::shape<-1, 3>> positions, In<int32_t, nb::ndim<1>> types, In<double, nb::shape<-1, 3, 3>> cells,
         In<bool, nb::shape<-1, 3>> periodic, In<int64_t, nb::ndim<1>> offsets, bool forces, bool basis, bool gradients,
         std::optional<In<double, nb::ndim<2>>> grade_matrix, int threads, VerletList* verlet_list) {
        const Structures s = StructureArrays{positions, types, cells, periodic, offsets}.view();
        const std::size_t n = positions.shape(0), B = p.scalars.size(), P = p.parameter_count(), S = s.count;
        if (grade_matrix && grade_matrix->shape(0) != P) throw std::invalid_argument("the grade matrix belongs to another potential");
        std::unique_ptr<double[]> energies(zeros(n)), f(forces ? zeros(3 * n) : nullptr), v(forces ? zeros(9 * S) : nullptr),
            b(basis ? new double[n * B] : nullptr), g(gradients ? new double[n * P] : nullptr), distances(zeros(S)),
            grades(grade_matrix ? zeros(n) : nullptr);
        Output out{.energies = energies.get(), .forces = f.get(), .virials = v.get(), .basis = b.get(), .gradients = g.get()};
        if (grade_matrix) {
          out.grade_matrix = grade_matrix->data();
          out.rank = int(grade_matrix->shape(1));
          out.grades = grades.get();
        }
        {
          nb::gil_scoped_release release;
          evaluate(p, s, threads, verlet_list, out, distances.get());
        }
        nb::object none = nb::none();
        return nb::make_tuple(owned(energies.release(), {n}), forces ? nb::cast(owned(f.release(), {n, 3})) : none,
                              forces ? nb::cast(owned(v.release(), {S, 3, 3})) : none, basis ? nb::cast(owned(b.release(), {n, B})) : none,
                              gradients ? nb::cast(owned(g.release(), {n, P})) : none, owned(distances.release(), {S}),
                              grade_matrix ? nb::cast(owned(grades.release(), {n})) : none);
      },
      "potential"_a, "positions"_a, "types"_a, "cells"_a, "periodic"_a, "offsets"_a, "forces"_a, "basis"_a, "gradients"_a,
      "grade_matrix"_a.none(), "threads"_a, "verlet_list"_a.none() = nb::none());

  m.def("jacobian", [](const Potential& p, In<double, nb::shape<-1, 3>> positions, In<int32_t, nb::ndim<1>> types,
                       In<double, nb::shape<-1, 3, 3>> cells, In<bool, nb::shape<-1, 3>> periodic, In<int64_t, nb::ndim<1>> offsets) {
    const Structures s = StructureArrays{positions, types, cells, periodic, offsets}.view();
    const std::size_t rows = 7 * std::size_t(s.count) + 3 * positions.shape(0), P = p.parameter_count();
    std::unique_ptr<double[]> out(zeros(rows * P));
    {
      nb::gil_scoped_release release;
      jacobian(p, s, out.get());
    }
    return owned(out.release(), {P, rows});
  });

#if defined(__x86_64__)
  m.def("best_build", [] {
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq")) return "avx512";
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? "avx2" : "baseline";
  });
#else
  m.def("best_build", [] { return "baseline"; });
#endif
  m.attr("compiler") = __VERSION__;
  m.attr("lanes") = W;
#ifdef __SANITIZE_ADDRESS__
  m.attr("instrumented") = true;
#else
  m.attr("instrumented") = false;
#endif
}
