#include <algorithm>
#include <backends/image/tar_reader.hpp>
#include <cstring>
#include <tuple>
#include <utility>

namespace capsa::image {
namespace {

error invalid(std::string what) {
  return {ErrorCode::InvalidConfig, "the tar archive is damaged: " + std::move(what)};
}

std::optional<TarEntry::Kind> kind_of(char type) {
  switch (type) {
    case '0':
    case '\0':
    case '7':  // contiguous: a file, to everybody
      return TarEntry::Kind::File;
    case '1':
      return TarEntry::Kind::HardLink;
    case '2':
      return TarEntry::Kind::Symlink;
    case '3':
      return TarEntry::Kind::CharacterDevice;
    case '4':
      return TarEntry::Kind::BlockDevice;
    case '5':
      return TarEntry::Kind::Directory;
    case '6':
      return TarEntry::Kind::Fifo;
    default:
      return std::nullopt;
  }
}

std::string until_nul(std::string_view text) {
  return std::string(text.substr(0, text.find('\0')));
}

}  // namespace

result<void> TarReader::feed(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    std::size_t used = 0;
    result<void> done;
    switch (state_) {
      case State::End:
        return {};  // fill of the last record; hashed by others, of no meaning
      case State::Header:
        used = std::min(bytes.size(), kTarBlock - filled_);
        std::memcpy(block_.data() + filled_, bytes.data(), used);
        filled_ += used;
        if (filled_ == kTarBlock) {
          filled_ = 0;
          done = take_header();
        }
        break;
      case State::Content:
        used = static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), left_));
        left_ -= used;
        done = sink_.data(bytes.first(used));
        if (done && left_ == 0) {
          state_ = State::Padding;
          done = sink_.end();
        }
        break;
      case State::Extension:
        used = static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), left_));
        left_ -= used;
        text_.append(reinterpret_cast<const char*>(bytes.data()), used);
        if (left_ == 0) {
          state_ = State::Padding;
          done = end_extension();
        }
        break;
      case State::Padding:
        used = static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), padding_));
        padding_ -= used;
        break;
    }
    if (!done) return done;
    if (state_ == State::Padding && padding_ == 0) state_ = State::Header;
    bytes = bytes.subspan(used);
  }
  return {};
}

result<void> TarReader::finish() {
  // Some programs leave the two empty blocks out that end an archive.
  const bool whole = state_ == State::End || (state_ == State::Header && filled_ == 0);
  if (!whole || pending_) return invalid("it ends in the middle of an entry");
  return {};
}

result<void> TarReader::take_header() {
  if (std::all_of(block_.begin(), block_.end(), [](std::byte b) { return b == std::byte{0}; })) {
    if (pending_) return invalid("it ends behind an extended header");
    state_ = State::End;
    return {};
  }
  auto header = parse_tar_header(block_);
  if (!header) return header.error();
  if (++entries_ > limits_.entries)
    return error(ErrorCode::InvalidConfig,
                 "the tar archive has more than " + std::to_string(limits_.entries) + " entries");
  switch (header->type) {
    case 'x':
    case 'g':
    case 'L':
    case 'K':
      return begin_extension(*header);
    default:
      return begin_entry(*std::move(header));
  }
}

result<void> TarReader::begin_extension(const TarHeader& header) {
  const bool name = header.type == 'L' || header.type == 'K';
  const std::size_t most = name ? limits_.path + 1 : limits_.header_bytes;
  if (header.entry.size > most)
    return invalid("a " + std::string(name ? "name" : "header") + " of " +
                   std::to_string(header.entry.size) + " bytes");
  extension_ = header.type;
  text_.clear();
  left_ = header.entry.size;
  skip_padding(left_);
  if (header.type != 'g') pending_ = true;
  if (left_ != 0) {
    state_ = State::Extension;
    return {};
  }
  return end_extension();
}

result<void> TarReader::end_extension() {
  switch (extension_) {
    case 'L':
      long_path_ = until_nul(text_);
      return {};
    case 'K':
      long_link_ = until_nul(text_);
      return {};
    case 'g':
      // For all entries to come: `git archive` puts a comment there, and nobody who makes images
      // anything else. Docker does not apply it either.
      return {};
    default:
      break;
  }
  auto records = parse_pax(text_, limits_);
  if (!records) return records.error();
  pax_ = *std::move(records);
  return {};
}

result<void> TarReader::begin_entry(TarHeader header) {
  const auto kind = kind_of(header.type);
  TarEntry& entry = header.entry;
  const PaxRecords pax = std::exchange(pax_, {});
  if (long_path_) entry.path = *std::exchange(long_path_, std::nullopt);
  if (long_link_) entry.link = *std::exchange(long_link_, std::nullopt);
  if (pax.path) entry.path = *pax.path;
  if (pax.link) entry.link = *pax.link;
  if (pax.size) entry.size = *pax.size;
  if (pax.uid) entry.uid = *pax.uid;
  if (pax.gid) entry.gid = *pax.gid;
  if (pax.mtime) std::tie(entry.mtime, entry.mtime_nsec) = *pax.mtime;
  entry.xattrs = pax.xattrs;
  pending_ = false;
  if (!kind) {
    const char type = header.type;
    const bool shown = type > ' ' && type < 0x7f;
    return error(ErrorCode::UnsupportedFeature,
                 "the tar archive has an entry of the type " +
                     (shown ? "'" + std::string(1, type) + "'"
                            : std::to_string(static_cast<unsigned char>(type))),
                 type == 'S' ? "make the layer without --sparse" : "");
  }
  entry.kind = *kind;
  // Before POSIX a directory was a file whose name ends so.
  if (entry.kind == TarEntry::Kind::File && header.type == '\0' && entry.path.ends_with('/'))
    entry.kind = TarEntry::Kind::Directory;
  // Only files have content, whatever the others' headers say: so read those who made the archive.
  if (entry.kind != TarEntry::Kind::File) entry.size = 0;
  if (entry.size > limits_.unpacked_bytes)
    return error(ErrorCode::InvalidConfig,
                 "the tar archive has a file of " + std::to_string(entry.size) +
                     " bytes, at most " + std::to_string(limits_.unpacked_bytes) + " are allowed");
  left_ = entry.size;
  skip_padding(left_);
  if (auto begun = sink_.begin(std::move(entry)); !begun) return begun;
  if (left_ != 0) {
    state_ = State::Content;
    return {};
  }
  return sink_.end();
}

void TarReader::skip_padding(std::uint64_t size) {
  padding_ = (kTarBlock - size % kTarBlock) % kTarBlock;
  state_ = State::Header;
}

}  // namespace capsa::image
