#include "base/sha256.h"

#include <openssl/evp.h>

#include "base/check.h"

namespace vitrine {

std::string sha256_hex(Bytes text) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  CHECK(EVP_Digest(text.data(), text.size(), digest, &length, EVP_sha256(), nullptr) == 1);
  std::string hex;
  for (unsigned i = 0; i < length; i++) {
    hex += "0123456789abcdef"[digest[i] >> 4];
    hex += "0123456789abcdef"[digest[i] & 15];
  }
  return hex;
}

}  // namespace vitrine
