#include <capsa/error.hpp>
#include <tools/benchmarks/commands.hpp>

#include <iostream>

int main(int argc, char** argv) {
  // Whoever watches a pipe sees each line when it is known.
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  CLI::App app("Measures capsa beside its peers, in one interleaved run.", "tools/bench");
  app.require_subcommand(1);
  capsa::bench::Action action;
  capsa::bench::add_boot(app, action);
  capsa::bench::add_exec(app, action);
  capsa::bench::add_idle(app, action);
  capsa::bench::add_image(app, action);
  capsa::bench::add_kvm_boot(app, action);
  capsa::bench::add_overhead(app, action);
  capsa::bench::add_stop(app, action);
  capsa::bench::add_block(app, action);
  capsa::bench::add_pool(app, action);
  capsa::bench::add_scale(app, action);
  capsa::bench::add_net(app, action);
  capsa::bench::add_soak(app, action);
  CLI11_PARSE(app, argc, argv);
  try {
    action();
    return 0;
  } catch (const capsa::error& e) {
    std::cerr << "tools/bench: " << e.what() << '\n';
    return 1;
  }
}
