// How a configuration becomes an OpenSSL context.
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <sys/stat.h>

#include <sstream>

#include "base/bytes.h"
#include "io/tls.h"
#include "io/tls_options.h"

namespace vitrine::net {

namespace {

// Empty, or what went wrong, with OpenSSL's reason.
using Problem = std::string;

Problem complaint(const std::string& what) {
  char text[256];
  ERR_error_string_n(ERR_peek_error(), text, sizeof text);   // the cause: what follows only passes it on
  ERR_clear_error();
  return what + ": " + text;
}

// What SSL_OP_NO_… leaves of the versions; 0 for a word that is none.
uint64_t versions_left_out(const std::string& protocols) {
  constexpr uint64_t kAll = SSL_OP_NO_TLSv1 | SSL_OP_NO_TLSv1_1 | SSL_OP_NO_TLSv1_2 | SSL_OP_NO_TLSv1_3;
  if (protocols.empty()) return SSL_OP_NO_TLSv1 | SSL_OP_NO_TLSv1_1;
  uint64_t left_out = kAll;
  std::istringstream words(protocols);
  for (std::string word; words >> word;) {
    if (equals_ignoring_case(word, "TLSv1")) left_out &= ~uint64_t{SSL_OP_NO_TLSv1};
    else if (equals_ignoring_case(word, "TLSv1.1")) left_out &= ~uint64_t{SSL_OP_NO_TLSv1_1};
    else if (equals_ignoring_case(word, "TLSv1.2")) left_out &= ~uint64_t{SSL_OP_NO_TLSv1_2};
    else if (equals_ignoring_case(word, "TLSv1.3")) left_out &= ~uint64_t{SSL_OP_NO_TLSv1_3};
    else return 0;
  }
  return left_out == kAll ? 0 : left_out;
}

int give_password(char* to, int size, int, void* from) {
  const auto& password = *static_cast<const std::string*>(from);
  if (password.size() > static_cast<size_t>(size)) return -1;
  password.copy(to, password.size());
  return static_cast<int>(password.size());
}

Problem load_identity(SSL_CTX* context, const TlsOptions& o) {
  if (SSL_CTX_use_certificate_chain_file(context, o.cert_file.c_str()) != 1)
    return complaint("Failed to load certificate: " + o.cert_file);
  SSL_CTX_set_default_passwd_cb(context, give_password);
  SSL_CTX_set_default_passwd_cb_userdata(context, const_cast<std::string*>(&o.key_file_pass));
  bool loaded = SSL_CTX_use_PrivateKey_file(context, o.key_file.c_str(), SSL_FILETYPE_PEM) == 1;
  SSL_CTX_set_default_passwd_cb_userdata(context, nullptr);
  SSL_CTX_set_default_passwd_cb(context, nullptr);
  if (!loaded || SSL_CTX_check_private_key(context) != 1)
    return complaint("Failed to load private key: " + o.key_file);
  return {};
}

Problem load_authorities(SSL_CTX* context, const TlsOptions& o) {
  if (!o.ca_cert_file.empty()) {
    if (SSL_CTX_load_verify_file(context, o.ca_cert_file.c_str()) != 1)
      return complaint("Failed to configure CA certificate(s) file: " + o.ca_cert_file);
    // Clients are told whose certificates will do.
    if (auto* names = SSL_load_client_CA_file(o.ca_cert_file.c_str())) SSL_CTX_set_client_CA_list(context, names);
    ERR_clear_error();
  }
  if (!o.ca_cert_dir.empty() && SSL_CTX_load_verify_dir(context, o.ca_cert_dir.c_str()) != 1)
    return complaint("Failed to configure CA certificate(s) directory: " + o.ca_cert_dir);
  return {};
}

Problem load_dh_params(SSL_CTX* context, const std::string& file) {
  if (file.empty()) return SSL_CTX_set_dh_auto(context, 1), "";
  BIO* from = BIO_new_file(file.c_str(), "r");
  EVP_PKEY* params = from ? PEM_read_bio_Parameters(from, nullptr) : nullptr;
  BIO_free(from);
  if (params && SSL_CTX_set0_tmp_dh_pkey(context, params) == 1) return {};
  EVP_PKEY_free(params);
  return complaint("Failed to read DH params file: " + file);
}

void set_session_cache(SSL_CTX* context, const TlsOptions& o) {
  constexpr unsigned char kName[] = "vitrine";
  SSL_CTX_set_session_id_context(context, kName, sizeof kName - 1);
  if (!o.session_caching) {
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(context, 0);
    return;
  }
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_SERVER);
  SSL_CTX_sess_set_cache_size(context, o.session_cache_size);
  SSL_CTX_set_timeout(context, o.session_cache_timeout_s);
}

int verify_mode(TlsAuthClients auth) {
  switch (auth) {
    case TlsAuthClients::no: return SSL_VERIFY_NONE;
    case TlsAuthClients::optional: return SSL_VERIFY_PEER;
    default: return SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
  }
}

Problem configure(SSL_CTX* context, const TlsOptions& o) {
  if (o.cert_file.empty()) return "No tls-cert-file configured!";
  if (o.key_file.empty()) return "No tls-key-file configured!";
  if (o.auth_clients != TlsAuthClients::no && o.ca_cert_file.empty() && o.ca_cert_dir.empty())
    return "Either tls-ca-cert-file or tls-ca-cert-dir must be specified when tls-cluster, tls-replication or "
           "tls-auth-clients are enabled!";
  uint64_t left_out = versions_left_out(o.protocols);
  if (!left_out && !o.protocols.empty())
    return "Invalid tls-protocols specified. Use a combination of 'TLSv1', 'TLSv1.1', 'TLSv1.2' and 'TLSv1.3'.";
  uint64_t wanted = SSL_OP_NO_SSLv3 | SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_SINGLE_DH_USE | left_out;
  if (o.prefer_server_ciphers) wanted |= SSL_OP_CIPHER_SERVER_PREFERENCE;
  SSL_CTX_set_options(context, wanted);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_verify(context, verify_mode(o.auth_clients), nullptr);
  set_session_cache(context, o);
  if (Problem problem = load_identity(context, o); !problem.empty()) return problem;
  if (Problem problem = load_authorities(context, o); !problem.empty()) return problem;
  if (!o.ciphers.empty() && SSL_CTX_set_cipher_list(context, o.ciphers.c_str()) != 1)
    return ERR_clear_error(), "Failed to configure ciphers: " + o.ciphers;
  if (!o.ciphersuites.empty() && SSL_CTX_set_ciphersuites(context, o.ciphersuites.c_str()) != 1)
    return ERR_clear_error(), "Failed to configure ciphersuites: " + o.ciphersuites;
  return load_dh_params(context, o.dh_params_file);
}

}  // namespace

std::expected<std::unique_ptr<TlsContext>, std::string> TlsContext::make(const TlsOptions& options) {
  ERR_clear_error();
  std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  if (!context) return std::unexpected(complaint("Failed to start TLS"));
  if (Problem problem = configure(context.get(), options); !problem.empty()) return std::unexpected(problem);
  return std::unique_ptr<TlsContext>(new TlsContext(std::move(context)));
}

std::string tls_files_fingerprint(const TlsOptions& o) {
  std::string print;
  for (const std::string* file : {&o.cert_file, &o.key_file, &o.dh_params_file, &o.ca_cert_file, &o.ca_cert_dir}) {
    struct stat status {};
    if (!file->empty() && stat(file->c_str(), &status) == 0)
      print += std::to_string(status.st_ino) + '.' + std::to_string(status.st_size) + '.' +
               std::to_string(status.st_mtim.tv_sec) + '.' + std::to_string(status.st_mtim.tv_nsec);
    print += ';';
  }
  return print;
}

}  // namespace vitrine::net
