#include "io/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/check.h"
#include "io/tls_options.h"

namespace vitrine::net {

namespace {

constexpr size_t kRecordBytes = 16 * 1024;   // the most that one record holds

// The latest thing that OpenSSL complained about; it forgets all of them.
std::string last_complaint() {
  unsigned long code = ERR_peek_last_error();
  char text[256] = "unknown error";
  if (code) ERR_error_string_n(code, text, sizeof text);
  ERR_clear_error();
  return text;
}

}  // namespace

// ---- the socket, as OpenSSL sees it ----

struct TlsStream::Wire {
  int fd;
  bool drained = false;    // the last read left room: there is no more for now
  bool ended = false;      // the peer sends no more
  int error = 0;           // what ended it, if it was no orderly end

  static Wire& of(BIO* bio) { return *static_cast<Wire*>(BIO_get_data(bio)); }

  static int read(BIO* bio, char* to, size_t capacity, size_t* bytes) {
    Wire& wire = of(bio);
    BIO_clear_retry_flags(bio);
    *bytes = 0;
    if (wire.ended) return 0;
    IoResult got = wire.drained ? IoResult{Io::would_block, 0, 0} : read_some(wire.fd, to, capacity);
    wire.drained = got.status == Io::would_block || (got.status == Io::ok && !got.filled);
    if (got.status == Io::ok) return *bytes = got.bytes, 1;
    if (got.status == Io::would_block) BIO_set_retry_read(bio);
    else wire.ended = true, wire.error = got.error;
    return 0;
  }

  static int write(BIO* bio, const char* from, size_t size, size_t* bytes) {
    Wire& wire = of(bio);
    BIO_clear_retry_flags(bio);
    *bytes = 0;
    IoResult sent = write_some(wire.fd, Bytes(from, size));
    if (sent.status == Io::ok) return *bytes = sent.bytes, 1;
    if (sent.status == Io::would_block) BIO_set_retry_write(bio);
    else wire.error = sent.error;
    return 0;
  }

  static long control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH; }

  static BIO_METHOD* method() {
    static BIO_METHOD* const method = [] {
      BIO_METHOD* m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket");
      CHECK(m);
      BIO_meth_set_read_ex(m, read);
      BIO_meth_set_write_ex(m, write);
      BIO_meth_set_ctrl(m, control);
      return m;
    }();
    return method;
  }
};

// ---- one connection ----

TlsStream::TlsStream(std::shared_ptr<ssl_ctx_st> context, int fd)
    : context_(std::move(context)), ssl_(SSL_new(context_.get())), wire_(new Wire{fd}) {
  CHECK(ssl_);
  BIO* bio = BIO_new(Wire::method());
  CHECK(bio);
  BIO_set_data(bio, wire_.get());
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_, bio, bio);
  SSL_set_accept_state(ssl_);
}

TlsStream::~TlsStream() {
  if (!broken_ && SSL_is_init_finished(ssl_)) SSL_shutdown(ssl_);   // "no more will come", if there is room to say so
  ERR_clear_error();
  SSL_free(ssl_);
}

TlsStream::Progress TlsStream::shake_hands() {
  wire_->drained = false;
  ERR_clear_error();
  int returned = SSL_do_handshake(ssl_);
  if (returned == 1) return Progress::done;
  int why = SSL_get_error(ssl_, returned);
  if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) return Progress::waiting;
  broken_ = true;
  problem_ = wire_->error    ? std::strerror(wire_->error)
             : wire_->ended && !ERR_peek_error() ? "the client ended the connection during the handshake"
                                                 : last_complaint();
  return Progress::failed;
}

// REQUIRES: `bytes` were moved, or the last call returned `returned` < 1.
IoResult TlsStream::outcome(int returned, size_t bytes) {
  if (bytes) return {Io::ok, 0, bytes};
  switch (SSL_get_error(ssl_, returned)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE: return {Io::would_block, 0, 0};
    case SSL_ERROR_ZERO_RETURN: return {Io::closed, 0, 0};
    default: break;
  }
  broken_ = true;
  if (wire_->error) return {Io::failed, wire_->error, 0};
  bool ended = wire_->ended;
  last_complaint();
  return ended ? IoResult{Io::closed, 0, 0} : IoResult{Io::failed, EPROTO, 0};
}

IoResult TlsStream::read(char* to, size_t capacity) {
  if (broken_) return {Io::failed, EPROTO, 0};
  wire_->drained = false;
  size_t total = 0;
  int returned = 1;
  while (total < capacity) {
    size_t bytes = 0;
    ERR_clear_error();
    returned = SSL_read_ex(ssl_, to + total, capacity - total, &bytes);
    if (returned != 1) break;
    total += bytes;
  }
  IoResult result = outcome(returned, total);
  // What ended the loop is told by the next call: it must come.
  result.filled = total && (total == capacity || SSL_get_error(ssl_, returned) != SSL_ERROR_WANT_READ);
  return result;
}

// Pieces go out as whole records: small ones are copied together.
IoResult TlsStream::write(std::span<const iovec> pieces) {
  if (broken_) return {Io::failed, EPROTO, 0};
  char together[kRecordBytes];
  Bytes data;
  if (pieces.size() == 1 || pieces[0].iov_len >= kRecordBytes) {
    data = Bytes(static_cast<const char*>(pieces[0].iov_base), std::min(pieces[0].iov_len, kRecordBytes));
  } else {
    size_t size = 0;
    for (const iovec& piece : pieces) {
      size_t part = std::min(piece.iov_len, kRecordBytes - size);
      std::memcpy(together + size, piece.iov_base, part);
      if ((size += part) == kRecordBytes) break;
    }
    data = Bytes(together, size);
  }
  size_t bytes = 0;
  ERR_clear_error();
  int returned = SSL_write_ex(ssl_, data.data(), data.size(), &bytes);
  return outcome(returned, bytes);
}

// ---- names ----

namespace {

std::string text_of(const ASN1_STRING* string) {
  unsigned char* utf8 = nullptr;
  int length = ASN1_STRING_to_UTF8(&utf8, string);
  if (length < 0) return "";
  std::string text(reinterpret_cast<char*>(utf8), static_cast<size_t>(length));
  OPENSSL_free(utf8);
  return text;
}

X509* verified_certificate(ssl_st* ssl) {
  return SSL_get_verify_result(ssl) == X509_V_OK ? SSL_get0_peer_certificate(ssl) : nullptr;
}

}  // namespace

bool TlsStream::has_client_certificate() const { return verified_certificate(ssl_) != nullptr; }

std::string TlsStream::client_common_name() const {
  X509* certificate = verified_certificate(ssl_);
  if (!certificate) return "";
  X509_NAME* subject = X509_get_subject_name(certificate);
  int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  return at < 0 ? "" : text_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
}

std::vector<std::string> TlsStream::client_uris() const {
  std::vector<std::string> uris;
  X509* certificate = verified_certificate(ssl_);
  if (!certificate) return uris;
  auto* names = static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names, i);
    if (name->type == GEN_URI) uris.push_back(text_of(name->d.uniformResourceIdentifier));
  }
  GENERAL_NAMES_free(names);
  return uris;
}

std::unique_ptr<TlsStream> TlsContext::accept(int fd) const {
  return std::unique_ptr<TlsStream>(new TlsStream(context_, fd));
}

}  // namespace vitrine::net
