#include <iostream>
#include <tests/conformance/image_parts.hpp>

// Makes an image with the guest's busybox, as an OCI layout: make_image DIRECTORY
int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: make_image DIRECTORY\n";
    return 2;
  }
  capsa::tests::OciLayoutBuilder layout(argv[1]);
  layout.add({.layers = {{capsa::test::base_layer()}},
              .config = R"json({"Cmd":["/bin/sh","-c","echo by default $((6*7))"]})json"});
  std::cout << layout.reference() << '\n';
}
