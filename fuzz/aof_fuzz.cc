// Whatever bytes claim to be a file of the append-only log, or its manifest: they are refused with a reason, or what
// was read is exactly what stands there.
//
//   'M' first     a manifest
//   other         a log; the first byte says in which pieces it is read
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "base/check.h"
#include "persist/aof_manifest.h"
#include "persist/aof_reader.h"

using namespace vitrine;

namespace {

class Pieces final : public ReadFile {
 public:
  Pieces(Bytes bytes, size_t most) : bytes_(bytes), most_(most) {}
  FileResult<size_t> read(char* to, size_t n) override {
    n = std::min({n, most_, bytes_.size() - at_});
    std::memcpy(to, bytes_.data() + at_, n);
    at_ += n;
    return n;
  }
  uint64_t size() const override { return bytes_.size(); }

 private:
  Bytes bytes_;
  size_t most_, at_ = 0;
};

struct Found {
  std::vector<std::vector<std::string>> commands;
  uint64_t offset;
  AofReader::Ending ending;
};

Found read_log(Bytes bytes, size_t piece, size_t most) {
  Pieces file(bytes, piece);
  AofReader reader(file);
  CommandBatch batch;
  Found found;
  while (reader.read(batch, most)) {
    CHECK(!batch.empty());
    for (size_t i = 0; i < batch.size(); i++) {
      CHECK(!batch[i].empty() && reader.offset_of(batch, i) < reader.offset());
      found.commands.emplace_back(batch[i].begin(), batch[i].end());
    }
    CHECK(reader.offset() <= bytes.size());
  }
  found.offset = reader.offset(), found.ending = reader.ending();
  CHECK(found.ending != AofReader::Ending::none && found.ending != AofReader::Ending::unreadable);
  CHECK(!reader.sentence().empty());
  CHECK((found.ending == AofReader::Ending::whole) == (found.offset == bytes.size()));
  return found;
}

void try_log(Bytes bytes, uint8_t how) {
  Found found = read_log(bytes, 1 + how % 16 * 37, 1 + how / 16);
  // Cut behind the last whole unit it is whole, with the same commands, in whatever pieces.
  Found cut = read_log(bytes.substr(0, found.offset), SIZE_MAX, 64);
  CHECK(cut.ending == AofReader::Ending::whole && cut.commands == found.commands);
  // A byte less, and the unit it belongs to is gone.
  if (found.offset == 0) return;
  Found less = read_log(bytes.substr(0, found.offset - 1), SIZE_MAX, 64);
  CHECK(less.ending != AofReader::Ending::whole && less.offset < found.offset);
}

void try_manifest(Bytes text) {
  auto manifest = AofManifest::parse(text);
  if (!manifest) return CHECK(!manifest.error().empty());
  auto again = AofManifest::parse(manifest->text());
  CHECK(again && again->text() == manifest->text());
  CHECK(again->files() == manifest->files());
  CHECK(manifest->next_increment("x").seq > (manifest->increments().empty() ? 0 : manifest->increments().back().seq));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  Bytes bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] == 'M') try_manifest(bytes);
  else try_log(bytes, data[0]);
  return 0;
}
