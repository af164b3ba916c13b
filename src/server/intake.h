// Intake: what the clients have sent in this turn, gathered before any of it runs.
//
// A client that sends one command at a time leaves nothing to fetch ahead, but all the clients of a turn together do.
// So first everything is read; then it is parsed and looked up, and the memory it will touch is fetched; only then it
// runs, client after client. Of a client with a long pipeline kAhead commands are taken, then it is the next one's
// turn.
//
// One buffer serves all: input is read into it and parsed there. It is free again after run(); what is left of a
// command that has not arrived whole is kept by its connection.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "engine/dispatcher.h"
#include "wire/resp_parser.h"

namespace vitrine {

class ClientConnection;

class Intake {
 public:
  static constexpr size_t kBufferBytes = 64 * 1024;
  static constexpr size_t kLeastRoom = 16 * 1024;
  static constexpr size_t kEnoughBytes = 1024;
  // Commands that are looked up, and whose memory is fetched, before the first of them runs.
  static constexpr size_t kAhead = 64;

  explicit Intake(Dispatcher& dispatcher);

  // Where the next client's input may be read to; runs what was gathered if too little room is left.
  std::span<char> room();
  // Gathers `data`, or runs it at once when it is a batch of its own, while the caches still hold it. It is the front
  // of room(), or memory of the connection's own that stays until its finish_input().
  void add(ClientConnection& from, Bytes data);
  // Runs all that was gathered.
  void run();
  // From within a command that this is running: what others have sent goes to `other`, which runs meanwhile.
  void hand_over(Intake& other);

 private:
  struct Arrival {
    ClientConnection* from;              // null: handed over
    Bytes data;                          // not yet run
    size_t parsed_bytes = 0;             // of the commands looked at
    size_t first = 0, end = 0;           // the commands looked at, in the batch
  };
  inline void look_ahead();
  // True when more of the arrival can run at once.
  inline bool run_ahead(Arrival& arrival);

  Dispatcher& dispatcher_;
  std::unique_ptr<char[]> buffer_;
  size_t used_bytes_ = 0;
  std::vector<Arrival> arrivals_, unfinished_;
  size_t looked_at_ = 0;                 // arrivals
  size_t running_ = 0;                   // of those, the one that runs
  CommandBatch batch_;
  std::vector<Prepared> prepared_;       // of the batch
};

}  // namespace vitrine
