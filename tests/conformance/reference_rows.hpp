#pragma once

#include <string>

/// \file Rows of the configuration reference as tests: BOOST_AUTO_TEST_CASE(handle_07_…) of any
/// suite is row handle.07 of reference_rows.tsv. At its end the program prints a line for each,
/// from which reference_table makes the table.

namespace capsa::test {

/// The row of this test case cannot be had on this backend, and is refused by name: the error's
/// text. The test checks that itself.
void row_refused(const std::string& error);

/// The row of this test case could not be tried here.
void row_skipped(const std::string& reason);

}  // namespace capsa::test
