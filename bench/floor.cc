// The least a server can do: waits with epoll, reads, splits the request, looks a key up in a table like Vitrine's,
// writes the reply. No checks, no expiry, no statistics, no second thread. What it takes, no server takes less on that
// machine: bench/floor.py holds the targets against it.
//
// SET and GET work. HGETALL finds its reply ready made, as what was SET; ZRANGE's is a constant. Requests must arrive
// whole.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "base/bytes.h"
#include "base/hash.h"
#include "ds/hash_table.h"

namespace vitrine {
namespace {

struct Item {
  uint32_t key_size, value_size;
  Bytes key() const { return {reinterpret_cast<const char*>(this + 1), key_size}; }
  Bytes value() const { return {key().end(), value_size}; }
  static Item* make(Bytes key, Bytes value) {
    auto* item = static_cast<Item*>(memory::allocate(sizeof(Item) + key.size() + value.size()));
    *item = {static_cast<uint32_t>(key.size()), static_cast<uint32_t>(value.size())};
    char* text = reinterpret_cast<char*>(item + 1);
    std::memcpy(text, key.data(), key.size());
    std::memcpy(text + key.size(), value.data(), value.size());
    return item;
  }
};

struct Policy {
  static Item* item(Word w) { return reinterpret_cast<Item*>(w); }
  static uint64_t hash(Word w) { return hash_bytes(item(w)->key()); }
  static void prefetch(Word w) { vitrine::prefetch(item(w)); }
};

std::string ten_members() {
  std::string reply = "*10\r\n";
  for (int i = 0; i < 10; i++) reply += "$19\r\nmember:0000000" + std::to_string(50000 + i) + "\r\n";
  return reply;
}

class Floor {
 public:
  // Answers the commands of `in` to `out`; returns the end of what it wrote.
  char* answer(Bytes in, char* out) {
    const char* at = in.data();
    while (at < in.data() + in.size()) {
      Bytes argv[3];
      int count = take_number(at);
      for (int i = 0; i < count; i++) {
        Bytes argument(at, static_cast<size_t>(take_number(at)));
        argument = {at, argument.size()};
        at += argument.size() + 2;
        if (i < 3) argv[i] = argument;
      }
      out = run(argv, out);
    }
    return out;
  }

 private:
  static int take_number(const char*& at) {
    int n = 0;
    for (at++; *at != '\r'; at++) n = n * 10 + *at - '0';
    at += 2;
    return n;
  }
  static char* put(char* out, Bytes text) {
    std::memcpy(out, text.data(), text.size());
    return out + text.size();
  }
  char* run(const Bytes (&argv)[3], char* out) {
    switch (argv[0][0] | 32) {
      case 'g': return get(argv[1], out);
      case 's': return set(argv[1], argv[2], out);
      case 'z': return put(out, ten_members_);
      case 'h': return put_ready_made(argv[1], out);
      default: return put(out, "-ERR\r\n");
    }
  }
  HashTable<Policy>::Position find(Bytes key, uint64_t hash) const {
    return table_.find(hash, [key](Word w) { return same_bytes(Policy::item(w)->key(), key); });
  }
  char* get(Bytes key, char* out) const {
    auto at = find(key, hash_bytes(key));
    if (!at) return put(out, "$-1\r\n");
    Bytes value = Policy::item(table_.at(at))->value();
    *out++ = '$';
    if (value.size() >= 10) *out++ = static_cast<char>('0' + value.size() / 10 % 10);
    *out++ = static_cast<char>('0' + value.size() % 10);
    return put(put(put(out, "\r\n"), value), "\r\n");
  }
  char* put_ready_made(Bytes key, char* out) const {
    auto at = find(key, hash_bytes(key));
    return at ? put(out, Policy::item(table_.at(at))->value()) : put(out, "*0\r\n");
  }
  char* set(Bytes key, Bytes value, char* out) {
    uint64_t hash = hash_bytes(key);
    if (auto at = find(key, hash)) {
      Item* old = Policy::item(table_.at(at));
      table_.set(at, reinterpret_cast<Word>(Item::make(key, value)));
      memory::release(old);
    } else {
      table_.insert(hash, reinterpret_cast<Word>(Item::make(key, value)));
    }
    return put(out, "+OK\r\n");
  }

  HashTable<Policy> table_;
  const std::string ten_members_ = ten_members();
};

void watch(int epoll, int fd, uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

void admit(int epoll, int listener) {
  int fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK);
  if (fd < 0) return;
  setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4);   // as Vitrine does on the loopback
  watch(epoll, fd, EPOLLIN | EPOLLRDHUP | EPOLLET);
}

int listen_on(int port) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  bool listens = bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 && listen(fd, 511) == 0;
  return listens ? fd : -1;
}

[[noreturn]] void serve(int listener) {
  constexpr size_t kIn = 64 * 1024, kOut = 4 << 20;
  static char in[kIn + 1], out[kOut];
  static epoll_event ready[1024];
  Floor floor;
  int epoll = epoll_create1(0);
  watch(epoll, listener, EPOLLIN);
  while (true) {
    int count = epoll_wait(epoll, ready, 1024, -1);
    for (int i = 0; i < count; i++) {
      int fd = ready[i].data.fd;
      if (fd == listener) {
        admit(epoll, listener);
      } else if (ssize_t got = recv(fd, in, kIn, 0); got > 0) {
        char* end = floor.answer({in, static_cast<size_t>(got)}, out);
        send(fd, out, static_cast<size_t>(end - out), MSG_NOSIGNAL);
      } else {
        close(fd);
      }
    }
  }
}

}  // namespace
}  // namespace vitrine

int main(int argc, char** argv) {
  int listener = argc == 2 ? vitrine::listen_on(std::atoi(argv[1])) : -1;
  if (listener < 0) return std::fputs("floor PORT: a free one\n", stderr), 1;
  vitrine::serve(listener);
}
