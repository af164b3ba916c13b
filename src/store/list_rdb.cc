#include "base/check.h"
#include "store/list.h"
#include "store/old_encodings.h"
#include "store/rdb_types.h"

namespace vitrine {

namespace {

using rdb_detail::OwnedPacked;

// Collects nodes; what comes out is a listpack if it fits one.
class Builder {
 public:
  explicit Builder(const TypeContext& context) : limits_(list_limits(context)), nodes_(new PackedList(limits_)) {}

  void add_block(OwnedPacked block) { nodes_->take_block(block.release()); }
  void add(const PackedItem& item) { nodes_->push_back(item); }

  Value finish() {
    bool plain = false;
    if (nodes_->node_count() == 1) nodes_->for_each_node([&](Bytes, size_t, bool is_plain) { plain = is_plain; });
    if (nodes_->node_count() <= 1 && !plain) return Value(Object::of(Type::list, List::kPacked, nodes_->to_block()));
    return Value(Object::of(Type::list, List::kNodes, nodes_.release()));
  }

 private:
  PackedList::Limits limits_;
  std::unique_ptr<PackedList> nodes_;
};

bool add_ziplist(RdbInput& in, Builder& list) {
  Bytes data = in.string();
  if (in.failed()) return false;
  bool sound = read_ziplist(data, [&](const PackedValue& v) { return list.add(PackedItem::of(v)), true; });
  return sound || in.fail("a broken ziplist");
}

bool add_node(RdbInput& in, Builder& list) {
  uint64_t kind = in.length();
  if (kind == rdb::kPackedNode) {
    OwnedPacked block = rdb_detail::read_listpack(in);
    if (!block) return false;
    list.add_block(std::move(block));
    return true;
  }
  if (kind != rdb::kPlainNode) return in.fail("an unknown kind of list node");
  Bytes item = in.string();
  if (in.failed()) return false;
  list.add(PackedItem(item));
  return true;
}

bool add_item(RdbInput& in, Builder& list) {
  Bytes item = in.string();
  if (in.failed()) return false;
  list.add(PackedItem(item));
  return true;
}

}  // namespace

uint8_t list_rdb_type(const Object&, int) { return rdb::kListListpacks; }

void save_list(const Object& o, uint8_t, RdbOutput& out) {
  if (o.encoding == List::kPacked) {
    out.length(1);
    out.length(rdb::kPackedNode);
    return rdb_detail::write_listpack(Packed(o.as<uint8_t>()), out);
  }
  const PackedList& nodes = *o.as<PackedList>();
  out.length(nodes.node_count());
  nodes.for_each_node([&](Bytes run, size_t count, bool plain) {
    out.length(plain ? rdb::kPlainNode : rdb::kPackedNode);
    if (plain) return out.string(run);
    // Its elements are a listpack's; head and end are missing.
    size_t bytes = Packed::kHeader + run.size() + 1;
    char* p = out.scratch(bytes);
    uint32_t total = static_cast<uint32_t>(bytes);
    uint16_t number = static_cast<uint16_t>(std::min<size_t>(count, UINT16_MAX));
    std::memcpy(p, &total, 4);
    std::memcpy(p + 4, &number, 2);
    std::memcpy(p + Packed::kHeader, run.data(), run.size());
    p[bytes - 1] = static_cast<char>(0xff);
    out.string_from_scratch(bytes);
  });
}

Value load_list(uint8_t type, RdbInput& in, const TypeContext& context) {
  Builder list(context);
  if (type == rdb::kListZiplist) {
    if (!add_ziplist(in, list)) return {};
    return list.finish();
  }
  auto add = type == rdb::kListListpacks ? add_node : type == rdb::kListZiplists ? add_ziplist : add_item;
  for (uint64_t n = in.length(); n > 0; n--)
    if (!add(in, list)) return {};
  return in.failed() ? Value() : list.finish();
}

}  // namespace vitrine
