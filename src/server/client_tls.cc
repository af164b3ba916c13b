// The part of ClientServer that is about TLS: its configuration, and handshakes within bounds.
#include <algorithm>

#include "base/log.h"
#include "engine/acl.h"
#include "io/tls.h"
#include "io/tls_options.h"
#include "server/client_server.h"

namespace vitrine {

std::expected<void, std::string> ClientServer::renew_tls() {
  if (tls_options_.port == 0) return tls_.reset(), std::expected<void, std::string>();
  std::string files = net::tls_files_fingerprint(tls_options_);
  auto made = net::TlsContext::make(tls_options_);
  if (!made) return std::unexpected(made.error());
  tls_ = std::move(*made);
  tls_files_ = std::move(files);
  return {};
}

void ClientServer::follow_tls(Settings& settings) {
  auto renew = [this] {
    auto renewed = renew_tls();
    if (!renewed) log(LogLevel::warning, "%s", renewed.error().c_str());
    return renewed ? Refusal() : Refusal("Unable to update TLS configuration. Check server logs.");
  };
  for (const char* name :
       {"tls-cert-file", "tls-key-file", "tls-key-file-pass", "tls-dh-params-file", "tls-ca-cert-file",
        "tls-ca-cert-dir", "tls-protocols", "tls-ciphers", "tls-ciphersuites", "tls-auth-clients",
        "tls-prefer-server-ciphers", "tls-session-caching", "tls-session-cache-size", "tls-session-cache-timeout"})
    settings.find(name)->apply(renew);
  settings.find("tls-port")->apply([this, renew] {
    close_doors(Kind::tls);
    if (Refusal refusal = renew(); !refusal.empty()) return refusal;
    auto listening = listen_tcp(Kind::tls);
    if (!listening) log(LogLevel::warning, "%s", listening.error().c_str());
    return listening ? Refusal() : Refusal("Unable to listen on this port. Check server logs.");
  });
}

// tls-auto-reload-interval: certificates that were replaced act without being asked for. If the new ones are no good,
// the old ones stay, and the log says so each time.
void ClientServer::look_at_tls_files() {
  if (!tls_ || tls_options_.auto_reload_interval_s == 0 || loop_.wall_ms() < next_look_at_files_ms_) return;
  next_look_at_files_ms_ = loop_.wall_ms() + int64_t{tls_options_.auto_reload_interval_s} * 1000;
  if (net::tls_files_fingerprint(tls_options_) == tls_files_) return;
  if (auto renewed = renew_tls(); !renewed)
    log(LogLevel::warning, "TLS files have changed but were not taken: %s", renewed.error().c_str());
  else
    log(LogLevel::notice, "TLS files have changed and were read again.");
}

// ---- handshakes ----

void ClientServer::add_to_handshakes(ClientConnection& connection) {
  if (std::exchange(connection.in_handshake_list, true)) return;
  handshake_list_.push_back(&connection);
}

void ClientServer::shake_hands() {
  if (handshake_list_.empty()) return;
  constexpr int64_t kSliceUs = 1000;
  int64_t start = loop_.clock().monotonic_us();
  size_t done = 0;
  do {
    ClientConnection* connection = handshake_list_[done++];
    connection->in_handshake_list = false;
    connection->shake_hands();
  } while (done < handshake_list_.size() && loop_.clock().monotonic_us() - start < kSliceUs);
  handshake_list_.erase(handshake_list_.begin(), handshake_list_.begin() + static_cast<ptrdiff_t>(done));
  intake_->run();
}

// Who does not finish its handshake must not keep others out: when too many are at it, the oldest goes.
void ClientServer::limit_handshakes(SessionId newcomer) {
  size_t most = network_.max_clients / 4 + 16;
  newcomers_.push_back(newcomer);
  shaking_hands_++;
  while (!newcomers_.empty()) {
    Session* oldest = sessions().find(newcomers_.front());
    bool shaking = oldest && !oldest->doomed && static_cast<ClientConnection*>(oldest->peer)->is_shaking_hands();
    if (shaking && shaking_hands_ <= most) return;
    newcomers_.pop_front();
    if (shaking) return oldest->doom();
  }
}

void ClientServer::shook_hands(ClientConnection& connection) {
  shaking_hands_--;
  TlsClientUser where = tls_options_.auth_clients_user;
  if (where == TlsClientUser::off || !connection.tls().has_client_certificate()) return;
  std::vector<std::string> names;
  if (where == TlsClientUser::uri) names = connection.tls().client_uris();
  else names.push_back(connection.tls().client_common_name());
  Acl& acl = dispatcher_.acl();
  for (const std::string& name : names)
    if (acl.adopt(connection.session(), name)) return;
  acl.note_certificate(connection.session(), names.empty() ? "" : names.front(), loop_.wall_ms());
}

}  // namespace vitrine
