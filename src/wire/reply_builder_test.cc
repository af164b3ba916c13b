#include "wire/reply_builder.h"

#include <gtest/gtest.h>

#include <limits>

#include "base/random.h"

namespace vitrine {
namespace {

std::string written(int protocol, auto write) {
  OutputBuffer out;
  ReplyBuilder reply(out, protocol);
  write(reply);
  return out.text();
}

void expect(Bytes resp2, Bytes resp3, auto write) {
  EXPECT_EQ(written(2, write), resp2);
  EXPECT_EQ(written(3, write), resp3);
}

TEST(ReplyBuilder, WritesEveryTypeInBothVersions) {
  using R = ReplyBuilder;
  expect("+OK\r\n", "+OK\r\n", [](R& r) { r.ok(); });
  expect("+a b\r\n", "+a b\r\n", [](R& r) { r.simple("a\nb"); });
  expect("-ERR x  y\r\n", "-ERR x  y\r\n", [](R& r) { r.error("ERR x\r\ny"); });
  expect(":-9223372036854775808\r\n", ":-9223372036854775808\r\n", [](R& r) { r.integer(INT64_MIN); });
  expect("$0\r\n\r\n", "$0\r\n\r\n", [](R& r) { r.bulk(""); });
  expect("$2\r\n42\r\n", "$2\r\n42\r\n", [](R& r) { r.bulk_integer(42); });
  expect("$3\r\n1.5\r\n", ",1.5\r\n", [](R& r) { r.real(1.5); });
  expect("$3\r\ninf\r\n", ",inf\r\n", [](R& r) { r.real(std::numeric_limits<double>::infinity()); });
  expect("$3\r\n0.1\r\n", "$3\r\n0.1\r\n", [](R& r) { r.bulk_real(0.1); });
  expect(":1\r\n", "#t\r\n", [](R& r) { r.boolean(true); });
  expect("$-1\r\n", "_\r\n", [](R& r) { r.null(); });
  expect("*-1\r\n", "_\r\n", [](R& r) { r.null_array(); });
  expect("*2\r\n", "*2\r\n", [](R& r) { r.array(2); });
  expect("*4\r\n", "%2\r\n", [](R& r) { r.map(2); });
  expect("*3\r\n", "~3\r\n", [](R& r) { r.set(3); });
  expect("*3\r\n", ">3\r\n", [](R& r) { r.push(3); });
  expect("$2\r\nhi\r\n", "=6\r\ntxt:hi\r\n", [](R& r) { r.verbatim("hi"); });
  expect("$3\r\n123\r\n", "(123\r\n", [](R& r) { r.big_number("123"); });
}

TEST(ReplyBuilder, WritesBulksOfEveryLengthAroundTheShortForms) {
  for (size_t length : {1, 9, 10, 63, 99, 100, 101, 4095, 4096, 5000, 16383, 16384, 100000}) {
    std::string text(length, 'x');
    std::string expected = "$" + std::to_string(length) + "\r\n" + text + "\r\n";
    EXPECT_EQ(written(2, [&](ReplyBuilder& r) { r.bulk(text); }), expected);
  }
}

TEST(ReplyBuilder, CountsErrorsAndKeepsTheCode) {
  OutputBuffer out;
  ReplyBuilder reply(out);
  EXPECT_EQ(reply.errors(), 0u);
  reply.error("WRONGTYPE not that");
  EXPECT_EQ(reply.errors(), 1u);
  EXPECT_EQ(reply.last_error_code(), "WRONGTYPE");
}

TEST(ReplyBuilder, FillsInLengthsLater) {
  for (int items : {0, 1, 10, 5000}) {
    std::string expected = "+before\r\n*" + std::to_string(items) + "\r\n";
    std::string got = written(2, [&](ReplyBuilder& r) {
      r.simple("before");
      auto at = r.later();
      for (int i = 0; i < items; i++) r.bulk("item");
      r.array_at(at, items);
      r.ok();
    });
    for (int i = 0; i < items; i++) expected += "$4\r\nitem\r\n";
    EXPECT_EQ(got, expected + "+OK\r\n");
  }
}

// Random appends, insertions at marks, truncation and partial sends against a plain string.
TEST(OutputBuffer, BehavesAsAQueueOfBytes) {
  for (uint64_t seed = 0; seed < 200; seed++) {
    Random random(seed);
    OutputBuffer out;
    std::string model;
    SharedText* shared = nullptr;   // as a channel keeps it: of one turn, replaced when it is full
    for (int step = 0; step < 200; step++) {
      std::string text(random.below(random.below(10) ? 200 : 40000), static_cast<char>('a' + random.below(26)));
      switch (random.below(7)) {
        case 0:
        case 1:
          out.append(text);
          model += text;
          break;
        case 2: {
          auto at = out.mark();
          size_t place = model.size();
          out.append(text);
          model += text;
          if (random.below(3)) out.insert(at, "<head>"), model.insert(place, "<head>");
          else out.truncate(at), model.resize(place);
          break;
        }
        case 3: {
          size_t n = random.below(model.size() + 1);
          out.consume(n);
          model.erase(0, n);
          break;
        }
        case 4: {
          OutputBuffer other;
          other.append(text);
          out.take(other);
          model += text;
          ASSERT_TRUE(other.empty());
          break;
        }
        default: {
          if (!shared || !shared->reserve(text.size()) || random.below(10) == 0) {
            if (shared) shared->release();
            shared = SharedText::make(text.size() + random.below(20000));
          }
          std::memcpy(shared->reserve(text.size()), text.data(), text.size());
          shared->advance(text.size());
          if (random.below(4) == 0) break;  // a message that goes to others only
          out.append_shared(*shared, shared->size() - text.size(), text.size());
          model += text;
          break;
        }
      }
      ASSERT_EQ(out.pending(), model.size()) << "seed " << seed << " step " << step;
    }
    ASSERT_EQ(out.text(), model) << "seed " << seed;
    out.consume(model.size());
    if (shared) shared->release();
    EXPECT_EQ(out.block_count(), 0u);  // an empty buffer holds no memory
  }
}

}  // namespace
}  // namespace vitrine
