#include <gtest/gtest.h>

#include <random>

#include "base/numbers.h"
#include "wire/crc64.h"
#include "wire/rdb_input.h"
#include "wire/rdb_output.h"

namespace vitrine {
namespace {

TEST(Crc64, KnownValues) {
  EXPECT_EQ(crc64(0, "123456789"), 0xe9c6d914c4b8d9caull);
  EXPECT_EQ(crc64(0, ""), 0u);
}

TEST(Crc64, PiecesAddUp) {
  std::string data;
  for (int i = 0; i < 1000; i++) data += static_cast<char>(i * 7919 >> 3);
  uint64_t whole = crc64(0, data);
  for (size_t cut : {0, 1, 7, 8, 15, 16, 17, 500, 999, 1000})
    EXPECT_EQ(crc64(crc64(0, Bytes(data).substr(0, cut)), Bytes(data).substr(cut)), whole);
}

std::string some_text(std::mt19937_64& rng) {
  switch (rng() % 5) {
    case 0: return std::to_string(static_cast<int64_t>(rng()) >> rng() % 64);
    case 1: return std::string(rng() % 3000, 'x');
    case 2: return "0" + std::to_string(rng() % 100);
    default: {
      std::string s(rng() % 200, 0);
      for (char& c : s) c = static_cast<char>(rng());
      return s;
    }
  }
}

struct Pieces : RdbInput::Source {
  Bytes data;
  size_t at = 0;
  std::mt19937_64 rng{1};
  size_t read(char* to, size_t n) override {
    n = std::min({n, data.size() - at, size_t{1} + rng() % 5000});
    std::memcpy(to, data.data() + at, n);
    at += n;
    return n;
  }
  uint64_t left() const override { return data.size() - at; }
};
struct Collect : RdbOutput::Sink {
  std::string data;
  bool write(Bytes piece) override { return data += piece, true; }
};

TEST(Rdb, StringsAndLengthsComeBackThroughMemoryAndStreams) {
  std::mt19937_64 rng(7);
  std::vector<std::string> texts;
  std::vector<uint64_t> lengths;
  Collect sink;
  {
    RdbOutput out({}, &sink);
    for (int i = 0; i < 5000; i++) {
      texts.push_back(i == 777 ? std::string(3 << 20, 'q') + "end" : some_text(rng));
      lengths.push_back(rng() >> rng() % 64);
      out.string(texts.back());
      out.length(lengths.back());
    }
    out.raw(std::string(2 << 20, 'r'));
    ASSERT_TRUE(out.finish_file());
    EXPECT_EQ(out.bytes(), sink.data.size());
  }
  Pieces pieces;
  pieces.data = sink.data;
  RdbInput stream(pieces, true), memory(sink.data);
  for (RdbInput* in : {&stream, &memory}) {
    Bytes before;
    for (size_t i = 0; i < texts.size(); i++) {
      Bytes now = in->string();
      ASSERT_EQ(now, texts[i]);
      ASSERT_EQ(in->length(), lengths[i]);
      if (i > 0) {
        ASSERT_EQ(before, texts[i - 1]) << "a string must outlive the next one";
      }
      before = now;
    }
    EXPECT_EQ(in->raw(2 << 20), std::string(2 << 20, 'r'));
    EXPECT_EQ(in->byte(), rdb::kEnd);
    uint64_t sum = in->checksum();
    EXPECT_EQ(in->fixed64(), in == &stream ? sum : crc64(0, Bytes(sink.data).substr(0, sink.data.size() - 8)));
    EXPECT_TRUE(in->at_end());
    EXPECT_FALSE(in->failed());
  }
}

TEST(Rdb, IntegersTakeTheSmallestForm) {
  for (auto [n, size] : {std::pair<int64_t, size_t>{0, 2}, {-128, 2}, {128, 3}, {-32769, 5}, {INT32_MAX, 5},
                         {int64_t{INT32_MAX} + 1, 11}, {INT64_MIN, 21}}) {
    RdbOutput a({}), b({});
    a.integer(n);
    b.string(std::to_string(n));
    EXPECT_EQ(a.view(), b.view());
    EXPECT_EQ(a.view().size(), size);
    RdbInput in(a.view());
    EXPECT_EQ(in.string(), std::to_string(n));
  }
}

TEST(Rdb, BrokenBytesFailWithTheirOffset) {
  auto error_of = [](Bytes bytes) {
    RdbInput in(bytes);
    in.string();
    EXPECT_TRUE(in.failed());
    EXPECT_EQ(in.string(), "");
    EXPECT_EQ(in.length(), 0u);
    return in.error();
  };
  EXPECT_EQ(error_of(""), "the data ends too early");
  EXPECT_EQ(error_of("\x05hell"), "the data ends too early");
  EXPECT_EQ(error_of("\x81\xff\xff\xff\xff\xff\xff\xff\xff"), "an impossible length");
  EXPECT_EQ(error_of("\x82"), "an unknown form of length");
  EXPECT_EQ(error_of("\xc4"), "an unknown form of string");
  EXPECT_EQ(error_of(Bytes("\xc3\x02\x41\x00zz", 6)), "an impossible length of a compressed string");
  EXPECT_EQ(error_of("\xc3\x02\x10zz"), "a compressed string that does not unpack");
  RdbInput in("\xc0");
  EXPECT_EQ(in.length(), 0u);
  EXPECT_EQ(in.error(), "an encoded string where a length must stand");
  EXPECT_EQ(in.error_offset(), 1u);
}

}  // namespace
}  // namespace vitrine
