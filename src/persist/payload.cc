#include "persist/payload.h"

#include <algorithm>
#include <cstring>

#include "persist/snapshot_reader.h"
#include "store/rdb_values.h"
#include "wire/crc64.h"

namespace vitrine {

void with_payload(const Entry& entry, const PersistOptions& options, const std::function<void(Bytes payload)>& use) {
  uint8_t type = rdb_type_of(entry, options.version ? options.version : rdb::kBaseVersion);
  RdbOutput out({std::max(rdb_version_of(type), options.version), options.compress, true});
  out.byte(type);
  save_value(entry, type, out);
  out.finish_payload();
  use(out.view());
}

std::optional<PayloadBody> checked_payload(Bytes payload, const PersistOptions& options) {
  constexpr size_t kFooterBytes = 10;
  if (payload.size() <= kFooterBytes) return std::nullopt;
  Bytes footer = payload.substr(payload.size() - kFooterBytes);
  uint16_t version;
  uint64_t sum;
  std::memcpy(&version, footer.data(), sizeof version);
  std::memcpy(&sum, footer.data() + sizeof version, sizeof sum);
  bool any_version = options.version_check == PersistOptions::VersionCheck::relaxed;
  if (!any_version && !is_known_version(version)) return std::nullopt;
  bool intact = options.skip_checksums || crc64(0, payload.substr(0, payload.size() - sizeof sum)) == sum;
  if (!intact) return std::nullopt;
  return PayloadBody{payload.substr(0, payload.size() - kFooterBytes), version};
}

}  // namespace vitrine
