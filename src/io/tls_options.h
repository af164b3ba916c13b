// What TLS reads of the settings.
#pragma once

#include <cstdint>
#include <string>

namespace vitrine {

enum class TlsAuthClients : uint8_t { no, yes, optional };
enum class TlsClientUser : uint8_t { off, common_name, uri };   // where a certificate names its user

struct TlsOptions {
  int port = 0;                              // 0: none
  std::string cert_file, key_file, key_file_pass, dh_params_file, ca_cert_file, ca_cert_dir;
  std::string protocols, ciphers, ciphersuites;   // empty: as OpenSSL has them, from TLS 1.2 on
  TlsAuthClients auth_clients = TlsAuthClients::yes;
  TlsClientUser auth_clients_user = TlsClientUser::off;
  bool prefer_server_ciphers = false;
  bool session_caching = true;
  int session_cache_size = 20480, session_cache_timeout_s = 300;
  int auto_reload_interval_s = 0;            // 0: files are not looked at again
  int new_connections_per_turn = 1;
};

}  // namespace vitrine
