// Settings of TLS towards clients.
#include <climits>

#include "io/tls_options.h"
#include "server/settings_table.h"

namespace vitrine {

namespace {

constexpr int number_of(auto e) { return static_cast<int>(e); }

constexpr EnumName kAuthClients[] = {{"no", number_of(TlsAuthClients::no)},
                                     {"yes", number_of(TlsAuthClients::yes)},
                                     {"optional", number_of(TlsAuthClients::optional)}};
constexpr EnumName kAuthClientsUser[] = {{"off", number_of(TlsClientUser::off)},
                                         {"CN", number_of(TlsClientUser::common_name)},
                                         {"URI", number_of(TlsClientUser::uri)}};

}  // namespace

void register_tls_settings(Settings& settings, TlsOptions& o) {
  settings.integer("tls-port", &o.port, 0, 65535);
  settings.enumeration("tls-auth-clients", &o.auth_clients, kAuthClients);
  settings.enumeration("tls-auth-clients-user", &o.auth_clients_user, kAuthClientsUser);
  settings.integer("tls-session-cache-size", &o.session_cache_size, 0, INT_MAX);
  settings.integer("tls-session-cache-timeout", &o.session_cache_timeout_s, 0, INT_MAX);
  settings.integer("tls-auto-reload-interval", &o.auto_reload_interval_s, 0, INT_MAX);
  settings.integer("max-new-tls-connections-per-cycle", &o.new_connections_per_turn, 1, 1000);
  settings.boolean("tls-prefer-server-ciphers", &o.prefer_server_ciphers);
  settings.boolean("tls-session-caching", &o.session_caching);
  settings.text("tls-cert-file", &o.cert_file).reapplied();
  settings.text("tls-key-file", &o.key_file).reapplied();
  settings.text("tls-key-file-pass", &o.key_file_pass).sensitive();
  settings.text("tls-dh-params-file", &o.dh_params_file).reapplied();
  settings.text("tls-ca-cert-file", &o.ca_cert_file).reapplied();
  settings.text("tls-ca-cert-dir", &o.ca_cert_dir).reapplied();
  settings.text("tls-protocols", &o.protocols);
  settings.text("tls-ciphers", &o.ciphers);
  settings.text("tls-ciphersuites", &o.ciphersuites);
}

}  // namespace vitrine
