#include "io/file.h"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <fstream>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "io/fd.h"

namespace vitrine {

namespace {

std::unexpected<FileError> error_of(const char* step, const std::string& path, int code = errno) {
  return std::unexpected(FileError{code, std::string(step) + " " + path + ": " + std::strerror(code)});
}

#ifdef VITRINE_HARD
constexpr size_t kMostAtOnce = 13;
#else
constexpr size_t kMostAtOnce = 1 << 30;
#endif

// How much was written before an error, which errno then names.
size_t write_fully(int fd, Bytes data) {
  size_t done = 0;
  while (done < data.size()) {
    ssize_t n = ::write(fd, data.data() + done, std::min(data.size() - done, kMostAtOnce));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    done += n;
  }
  return done;
}

class SystemAppendFile final : public AppendFile {
 public:
  SystemAppendFile(Fd fd, std::string path, uint64_t size) : fd_(std::move(fd)), path_(std::move(path)), size_(size) {}

  FileResult<size_t> append(Bytes data) override {
    size_t done = write_fully(fd_.get(), data);
    if (done == 0 && !data.empty()) return error_of("write", path_);
    size_ += done;
    return done;
  }
  FileResult<void> sync() override {
    if (fdatasync(fd_.get()) != 0) return error_of("fsync", path_);
    return {};
  }
  void start_sync() override { sync_file_range(fd_.get(), 0, 0, SYNC_FILE_RANGE_WRITE); }
  FileResult<void> truncate(uint64_t bytes) override {
    if (ftruncate(fd_.get(), static_cast<off_t>(bytes)) != 0) return error_of("truncate", path_);
    size_ = bytes;
    return {};
  }
  uint64_t size() const override { return size_; }
  FileResult<void> close() override {
    if (fd_ && ::close(fd_.release()) != 0) return error_of("close", path_);
    return {};
  }

 private:
  Fd fd_;
  std::string path_;
  uint64_t size_;
};

class SystemReadFile final : public ReadFile {
 public:
  SystemReadFile(Fd fd, std::string path, uint64_t size) : fd_(std::move(fd)), path_(std::move(path)), size_(size) {}

  FileResult<size_t> read(char* to, size_t n) override {
    ssize_t got;
    do got = ::read(fd_.get(), to, std::min(n, kMostAtOnce));
    while (got < 0 && errno == EINTR);
    if (got < 0) return error_of("read", path_);
    return static_cast<size_t>(got);
  }
  uint64_t size() const override { return size_; }

 private:
  Fd fd_;
  std::string path_;
  uint64_t size_;
};

// Whatever else may have a file's name.
FileResult<void> refuse_if_no_file(const char* step, const std::string& path, const struct stat& info) {
  if (S_ISDIR(info.st_mode)) return error_of(step, path, EISDIR);
  if (S_ISREG(info.st_mode)) return {};
  return std::unexpected(FileError{EINVAL, std::string(step) + ' ' + path + ": Not a regular file"});
}

// Without O_NONBLOCK the opening of a pipe would wait for its other end.
FileResult<Fd> open_file(const std::string& path, int flags, struct stat& info, unsigned mode = 0) {
  Fd fd(open(path.c_str(), flags | O_CLOEXEC | O_NONBLOCK, mode));
  int code = errno;
  if (!fd && code != ENXIO) return error_of("open", path, code);
  if ((fd ? fstat(fd.get(), &info) : stat(path.c_str(), &info)) != 0) return error_of("stat", path);
  if (auto is_file = refuse_if_no_file("open", path, info); !is_file) return std::unexpected(is_file.error());
  if (!fd) return error_of("open", path, code);
  return fd;
}

// Writes `content` to a fresh file and makes it durable; leaves nothing behind when it fails.
FileResult<void> write_fresh(const std::string& path, Bytes content, unsigned mode) {
  Fd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  if (!fd) return error_of("create", path);
  const char* failed_step = nullptr;
  // Not what umask makes of it.
  if (fchmod(fd.get(), mode) != 0) failed_step = "chmod";
  if (!failed_step && write_fully(fd.get(), content) != content.size()) failed_step = "write";
  if (!failed_step && fsync(fd.get()) != 0) failed_step = "fsync";
  if (!failed_step && ::close(fd.release()) != 0) failed_step = "close";
  if (!failed_step) return {};
  int code = errno;
  unlink(path.c_str());
  return error_of(failed_step, path, code);
}

}  // namespace

std::string folder_of(const std::string& path) {
  size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

FileResult<std::string> SystemFiles::read_all(const std::string& path, uint64_t limit) {
  struct stat info;
  auto fd = open_file(path, O_RDONLY, info);
  if (!fd) return std::unexpected(fd.error());
  std::string content;
  if (info.st_size > 0 && static_cast<uint64_t>(info.st_size) <= limit) content.reserve(info.st_size);
  char piece[16384];
  for (;;) {
    ssize_t n = read(fd->get(), piece, std::min(sizeof piece, kMostAtOnce));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return error_of("read", path);
    if (n == 0) return content;
    if (content.size() + n > limit) return error_of("read", path, EFBIG);
    content.append(piece, n);
  }
}

FileResult<void> SystemFiles::write_atomic(const std::string& path, Bytes content, unsigned mode) {
  std::string target = path;
  char real[PATH_MAX];
  struct stat info;
  if (realpath(path.c_str(), real) && stat(real, &info) == 0) target = real, mode = info.st_mode & 07777;
  std::string temporary = target + ".tmp-" + std::to_string(getpid());
  unlink(temporary.c_str());
  if (auto written = write_fresh(temporary, content, mode); !written) return written;
  if (auto renamed = rename(temporary, target); !renamed) {
    unlink(temporary.c_str());
    return renamed;
  }
  return sync_folder(folder_of(target));
}

FileResult<std::unique_ptr<AppendFile>> SystemFiles::open_append(const std::string& path, unsigned mode) {
  struct stat info;
  auto fd = open_file(path, O_WRONLY | O_CREAT | O_APPEND, info, mode);
  if (!fd) return std::unexpected(fd.error());
  return std::make_unique<SystemAppendFile>(std::move(*fd), path, static_cast<uint64_t>(info.st_size));
}

FileResult<std::unique_ptr<AppendFile>> SystemFiles::open_empty(const std::string& path, unsigned mode) {
  if (auto removed = remove(path); !removed) return std::unexpected(removed.error());
  struct stat info;
  auto fd = open_file(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND, info, mode);
  if (!fd) return std::unexpected(fd.error());
  return std::make_unique<SystemAppendFile>(std::move(*fd), path, 0);
}

FileResult<std::unique_ptr<ReadFile>> SystemFiles::open_read(const std::string& path) {
  struct stat info;
  auto fd = open_file(path, O_RDONLY, info);
  if (!fd) return std::unexpected(fd.error());
  posix_fadvise(fd->get(), 0, 0, POSIX_FADV_SEQUENTIAL);
  return std::make_unique<SystemReadFile>(std::move(*fd), path, static_cast<uint64_t>(info.st_size));
}

bool SystemFiles::exists(const std::string& path) { return access(path.c_str(), F_OK) == 0 || errno != ENOENT; }

FileResult<uint64_t> SystemFiles::size(const std::string& path) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0) return error_of("stat", path);
  if (auto is_file = refuse_if_no_file("stat", path, info); !is_file) return std::unexpected(is_file.error());
  return static_cast<uint64_t>(info.st_size);
}

FileResult<void> SystemFiles::remove(const std::string& path) {
  if (unlink(path.c_str()) != 0 && errno != ENOENT) return error_of("remove", path);
  return {};
}

FileResult<void> SystemFiles::rename(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return error_of("rename to", to);
  return {};
}

std::string SystemFiles::absolute(const std::string& path) {
  char folder[PATH_MAX];
  if (path.starts_with('/') || !getcwd(folder, sizeof folder)) return path;
  return folder == std::string("/") ? folder + path : std::string(folder) + '/' + path;
}

FileResult<std::vector<std::string>> SystemFiles::list(const std::string& folder) {
  std::unique_ptr<DIR, int (*)(DIR*)> dir(opendir(folder.c_str()), &closedir);
  if (!dir) return error_of("open", folder);
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = readdir(dir.get())) {
    std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(std::move(name));
    errno = 0;
  }
  if (errno != 0) return error_of("read", folder);
  std::sort(names.begin(), names.end());
  return names;
}

FileResult<void> SystemFiles::make_folder(const std::string& path, unsigned mode) {
  if (mkdir(path.c_str(), mode) == 0) return {};
  int code = errno;
  struct stat info;
  if (code == EEXIST && stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) return {};
  return error_of("create", path, code);
}

FileResult<void> SystemFiles::sync_folder(const std::string& folder) {
  Fd fd(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return error_of("open", folder);
  // Some file systems cannot sync folders, and say EINVAL.
  if (fsync(fd.get()) != 0 && errno != EINVAL) return error_of("fsync", folder);
  return {};
}

namespace {

class SystemFolderLock final : public FolderLock {
 public:
  explicit SystemFolderLock(Fd fd) : fd_(std::move(fd)) {}
  bool is_of(const std::string& folder) const override {
    struct stat locked, there;
    return fstat(fd_.get(), &locked) == 0 && stat(folder.c_str(), &there) == 0 && locked.st_dev == there.st_dev &&
           locked.st_ino == there.st_ino;
  }

 private:
  Fd fd_;
};

// "process 4711" as /proc/locks tells it, a line like "1: FLOCK ADVISORY WRITE 4711 fe:01:262402 0 EOF".
std::string holder_of(int fd) {
  struct stat info;
  char place[64];
  if (fstat(fd, &info) != 0) return "another process";
  std::snprintf(place, sizeof place, "%02x:%02x:%llu", major(info.st_dev), minor(info.st_dev),
                static_cast<unsigned long long>(info.st_ino));
  std::ifstream locks("/proc/locks");
  std::string number, kind, mode, access, pid, where, rest;
  while (locks >> number >> kind >> mode >> access >> pid >> where && std::getline(locks, rest))
    if (kind == "FLOCK" && where == place) return "process " + pid;
  return "another process";
}

}  // namespace

FileResult<std::unique_ptr<FolderLock>> SystemFiles::lock_folder(const std::string& folder) {
  Fd fd(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return error_of("open", folder);
  if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
    return std::unexpected(FileError{EWOULDBLOCK, folder + " is in use by " + holder_of(fd.get())});
  return std::make_unique<SystemFolderLock>(std::move(fd));
}

}  // namespace vitrine
