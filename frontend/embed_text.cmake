# cmake -D IN=file -D OUT=generated.cc -D HEADER=declares_it.h -D NAME=kName -P embed_text.cmake
#   The text of IN, byte for byte, as a std::string_view of namespace orbitalreg::frontend.
file(READ "${IN}" text)
string(FIND "${text}" ")orb\"" clash)
if(NOT clash EQUAL -1)
  message(FATAL_ERROR "${IN}: holds what ends a literal")
endif()
file(WRITE "${OUT}" "#include \"${HEADER}\"

namespace orbitalreg::frontend {
namespace {
constexpr char kText[] = R\"orb(${text})orb\";
}  // namespace

const std::string_view ${NAME}{kText, sizeof kText - 1};

}  // namespace orbitalreg::frontend
")
