// The words of the snapshot format (RDB), as published: docs of redis-rdb-tools and redis-replicator, and what the
// servers of our fixtures wrote. All numbers are little endian unless said otherwise.
//
//   file     "REDIS" and four digits of version ("VALKEY" and three digits from version 80 on)
//            { opcode and its operands | type, key: string, value }*  kEnd, crc64: 8 bytes (from version 5)
//   length   00nnnnnn | 01nnnnnn +1 (big endian) | 10000000 + 4 (big endian) | 10000001 + 8 (big endian)
//            11000000: 8-bit, 11000001: 16-bit, 11000010: 32-bit integer as string; 11000011: LZF string
//   string   length, bytes | an integer | LZF: length of the compressed, length of the original, compressed bytes
//   payload  of DUMP: type, value, version: 2 bytes, crc64: 8 bytes
#pragma once

#include <cstdint>

namespace vitrine::rdb {

// Versions: the oldest that we write (Redis 7.0), what brought new types, and the newest that we know of each lineage.
constexpr int kBaseVersion = 10;
constexpr int kSetListpackVersion = 11;    // Redis 7.2: small sets as listpacks, streams with active times
constexpr int kFieldExpiryVersion = 12;    // Redis 7.4: hash fields that expire
constexpr int kNewestVersion = 12;
constexpr int kValkeyVersion = 80;         // Valkey 9: fields that expire, in a form of its own
constexpr bool is_valkey(int version) { return version >= kValkeyVersion; }

enum Opcode : uint8_t {
  kSlotImport = 0xf3,
  kSlotInfo = 0xf4,       // cluster: slot, keys, expiring keys: lengths
  kFunction = 0xf5,       // code of a function library: string
  kFunctionPreview = 0xf6,
  kModuleAux = 0xf7,
  kIdle = 0xf8,           // seconds: length; of the next key
  kFreq = 0xf9,           // one byte; of the next key
  kAux = 0xfa,            // name, value: strings
  kResize = 0xfb,         // keys, expiring keys: lengths
  kExpireMs = 0xfc,       // 8 bytes; of the next key
  kExpireSeconds = 0xfd,  // 4 bytes
  kSelect = 0xfe,         // database: length
  kEnd = 0xff
};

enum ValueType : uint8_t {
  kString = 0,
  kList = 1,              // n, items
  kSet = 2,               // n, members
  kZsetText = 3,          // n, (member, score as text)
  kHash = 4,              // n, (field, value)
  kZset = 5,              // n, (member, score: 8 bytes)
  kModule = 6,
  kModule2 = 7,
  kHashZipmap = 9,
  kListZiplist = 10,
  kSetIntset = 11,
  kZsetZiplist = 12,
  kHashZiplist = 13,
  kListZiplists = 14,     // n, ziplists
  kStream = 15,
  kHashListpack = 16,
  kZsetListpack = 17,
  kListListpacks = 18,    // n, (kind: 1 plain, 2 packed; an item or a listpack)
  kStream2 = 19,          // and first id, greatest deleted id, entries added, entries read by groups
  kSetListpack = 20,
  kStream3 = 21,          // and active times of consumers
  kHashMomentsPreview = 22,          // Redis 7.4 release candidates; from Valkey 9 on kHashMomentsValkey
  kHashMomentsValkey = 22,           // n, (field, value, moment: 8 bytes, -1 never)
  kHashListpackMomentsPreview = 23,
  kHashMoments = 24,      // earliest moment: 8 bytes, n, (moment - earliest + 1 or 0 for never, field, value)
  kHashListpackMoments = 25,         // earliest moment: 8 bytes, listpack of (field, value, moment or 0)
  // From 200 on: what only Vitrine has and reads.
  kStreamProducers = 200,            // kStream3, and what is remembered of producers (store/stream_rdb.cc)
  kArray = 201,                      // store/array_rdb.cc
};

// Length prefixes.
constexpr uint8_t kLength32 = 0x80, kLength64 = 0x81, kEncoded = 0xc0;
enum StringForm : uint8_t { kInt8, kInt16, kInt32, kLzf };
// Kinds of nodes in kListListpacks.
constexpr uint64_t kPlainNode = 1, kPackedNode = 2;

}  // namespace vitrine::rdb
