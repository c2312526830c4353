#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <backends/image/digest.hpp>
#include <backends/image/printable.hpp>
#include <new>

namespace capsa::image {

struct Sha256::State {
  State() : context(::EVP_MD_CTX_new()) {
    if (context == nullptr || ::EVP_DigestInit_ex(context, ::EVP_sha256(), nullptr) != 1)
      throw std::bad_alloc();  // nothing else can fail here
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { ::EVP_MD_CTX_free(context); }

  EVP_MD_CTX* context;
};

Sha256::Sha256() : state_(std::make_unique<State>()) {}

Sha256::~Sha256() = default;

void Sha256::add(std::span<const std::byte> bytes) {
  ::EVP_DigestUpdate(state_->context, bytes.data(), bytes.size());
}

std::string Sha256::finish() {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::array<unsigned char, 32> sum = {};
  ::EVP_DigestFinal_ex(state_->context, sum.data(), nullptr);
  std::string text = "sha256:";
  for (const unsigned char one : sum) {
    text += kDigits[one >> 4];
    text += kDigits[one & 15];
  }
  return text;
}

std::string sha256(std::string_view bytes) {
  Sha256 hash;
  hash.add(bytes);
  return hash.finish();
}

result<void> check_digest(std::string_view what, std::string_view digest) {
  constexpr std::string_view kAlgorithm = "sha256:";
  const std::string shown = printable(digest, 80);
  if (digest.starts_with("sha512:") || digest.starts_with("sha384:"))
    return error(ErrorCode::UnsupportedFeature,
                 std::string(what) + ": the digest " + shown + " is not SHA-256");
  const auto is_digit = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  if (!digest.starts_with(kAlgorithm) || digest.size() != kAlgorithm.size() + 64 ||
      !std::all_of(digest.begin() + kAlgorithm.size(), digest.end(), is_digit))
    return error(ErrorCode::InvalidConfig,
                 std::string(what) + ": \"" + shown + "\" is not a digest",
                 "a digest is sha256: and 64 digits");
  return {};
}

}  // namespace capsa::image
