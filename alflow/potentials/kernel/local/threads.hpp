// Work shared among threads that stay, since to begin one takes as long as a step of dynamics of some hundred atoms.
#pragma once

#include <unistd.h>

#include <atomic>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

namespace alflow {

class ThreadCrew {
 public:
  // Calls work(0) … work(count - 1) at the same time and waits for all, of which none may throw. Each calling thread has its own crew.
  static void run(int count, const std::function<void(int)>& work) {
    thread_local ThreadCrew crew;
    if (crew.process_ != getpid()) crew.forget();
    crew.share(count, work);
  }

  ~ThreadCrew() {
    if (process_ != getpid()) forget();
    work_ = nullptr;
    for (auto& member : members_) member->start();
    for (auto& member : members_) member->thread.join();
  }

 private:
  struct Member {
    std::atomic<bool> busy{false};
    std::thread thread;
    void start() {
      busy.store(true);
      busy.notify_one();
    }
    void finish() {
      busy.store(false);
      busy.notify_one();
    }
  };

  void share(int count, const std::function<void(int)>& work) {
    members_.reserve(count - 1);
    while (int(members_.size()) + 1 < count) {
      auto member = std::make_unique<Member>();
      member->thread = std::thread(&ThreadCrew::serve, this, member.get(), int(members_.size()) + 1);
      members_.push_back(std::move(member));
    }
    work_ = &work;
    for (int t = 1; t < count; ++t) members_[t - 1]->start();
    work(0);
    for (int t = 1; t < count; ++t) members_[t - 1]->busy.wait(true);
  }

  void serve(Member* self, int number) {
    for (;;) {
      self->busy.wait(false);
      if (!work_) return;
      (*work_)(number);
      self->finish();
    }
  }

  // After a fork the threads are in the parent only, and what stands for them here can be neither joined nor destroyed.
  void forget() {
    for (auto& member : members_) static_cast<void>(member.release());
    members_.clear();
    process_ = getpid();
  }

  pid_t process_ = getpid();
  const std::function<void(int)>* work_ = nullptr;
  std::vector<std::unique_ptr<Member>> members_;
};

}  // namespace alflow
