// Includes the header that the test names; see CMakeLists.txt.
#include ORB_HEADER
