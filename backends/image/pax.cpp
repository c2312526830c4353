#include <algorithm>
#include <backends/image/tar_header.hpp>
#include <charconv>

namespace capsa::image {
namespace {

error invalid(std::string_view what) {
  return {ErrorCode::InvalidConfig,
          "the tar archive is damaged: an extended header has " + std::string(what)};
}

template <class Number>
bool number(std::string_view text, Number& value) {
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  return failed == std::errc() && end == text.data() + text.size() && !text.empty();
}

/// "1700000000.123456789", also negative: whole seconds downwards, nanoseconds upwards.
bool time(std::string_view text, std::pair<std::int64_t, std::uint32_t>& value) {
  const auto dot = text.find('.');
  if (!number(text.substr(0, dot), value.first)) return false;
  value.second = 0;
  if (dot == std::string_view::npos) return true;
  std::string digits(text.substr(dot + 1, 9));
  const auto rest = text.substr(dot + 1);
  if (!std::all_of(rest.begin(), rest.end(), [](char c) { return c >= '0' && c <= '9'; }))
    return false;
  digits.append(9 - digits.size(), '0');
  if (!number(std::string_view(digits), value.second)) return false;
  if (text.front() == '-' && value.second != 0) {
    if (value.first == INT64_MIN) return false;
    --value.first;
    value.second = 1'000'000'000 - value.second;
  }
  return true;
}

template <class Number>
result<void> take_number(std::string_view key, std::string_view text,
                         std::optional<Number>& value) {
  Number read = 0;
  if (!number(text, read)) return invalid("no number as " + std::string(key));
  value = read;
  return {};
}

result<void> take(std::string_view key, std::string_view value, const LayerLimits& limits,
                  PaxRecords& records) {
  if (key == "path" || key == "linkpath") {
    if (value.find('\0') != std::string_view::npos) return invalid("a NUL in a name");
    if (value.size() > limits.path) return invalid("a name that is too long");
    (key == "path" ? records.path : records.link) = std::string(value);
    return {};
  }
  if (key == "size") return take_number(key, value, records.size);
  if (key == "uid") return take_number(key, value, records.uid);
  if (key == "gid") return take_number(key, value, records.gid);
  if (key == "mtime") {
    std::pair<std::int64_t, std::uint32_t> read;
    if (!time(value, read)) return invalid("no time as mtime");
    records.mtime = read;
    return {};
  }
  if (key.starts_with("GNU.sparse."))
    return error(ErrorCode::UnsupportedFeature, "the tar archive has a sparse file",
                 "make the layer without --sparse");
  constexpr std::string_view kXattr = "SCHILY.xattr.";
  if (!key.starts_with(kXattr)) return {};
  const auto name = key.substr(kXattr.size());
  if (name.empty() || name.size() > limits.name || name.find('\0') != std::string_view::npos)
    return invalid("an extended attribute without a proper name");
  // A later one takes the place of an earlier one, as with every key.
  std::erase_if(records.xattrs, [&](const auto& one) { return one.first == name; });
  std::size_t bytes = name.size() + value.size();
  for (const auto& [other, its] : records.xattrs)
    bytes += other.size() + its.size();
  if (bytes > limits.xattr_bytes)
    return error(ErrorCode::InvalidConfig, "the tar archive has an entry with more than " +
                                               std::to_string(limits.xattr_bytes) +
                                               " bytes of extended attributes");
  records.xattrs.emplace_back(name, value);
  return {};
}

}  // namespace

result<PaxRecords> parse_pax(std::string_view text, const LayerLimits& limits) {
  PaxRecords records;
  while (!text.empty()) {
    const auto blank = text.find(' ');
    std::size_t length = 0;
    // The length counts the whole record, its own digits included.
    if (blank == std::string_view::npos || !number(text.substr(0, blank), length) ||
        length > text.size() || length < blank + 3 || text[length - 1] != '\n')
      return invalid("a record with a wrong length");
    const auto record = text.substr(blank + 1, length - blank - 2);
    text.remove_prefix(length);
    const auto equals = record.find('=');
    if (equals == std::string_view::npos || equals == 0) return invalid("a record without a key");
    if (auto taken = take(record.substr(0, equals), record.substr(equals + 1), limits, records);
        !taken)
      return taken.error();
  }
  return records;
}

}  // namespace capsa::image
