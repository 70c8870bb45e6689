#include "secret_input.h"

#include "base/unique_fd.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

namespace orbitalreg::program {
namespace {

constexpr std::size_t kSecretSizeMax = 4096;
constexpr const char* kTerminal = "/dev/tty";
constexpr std::array kEndingSignals{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP};

volatile std::sig_atomic_t caught_signal = 0;

extern "C" void catch_signal(int signal) { caught_signal = signal; }

// QuietTerminal shows nothing of what is typed while it lives. A signal interrupts what is being read, and takes effect once
// the terminal is as it was.
class QuietTerminal {
public:
    explicit QuietTerminal(int fd) : fd_{fd} {
        caught_signal = 0;
        struct sigaction catching {};
        catching.sa_handler = catch_signal;  // without SA_RESTART
        for (std::size_t i = 0; i < kEndingSignals.size(); ++i)
            ::sigaction(kEndingSignals[i], &catching, &before_[i]);
        quiet_ = ::tcgetattr(fd_, &shown_) == 0;
        auto hidden = shown_;
        hidden.c_lflag &= ~static_cast<tcflag_t>(ECHO | ECHONL);
        quiet_ = quiet_ && ::tcsetattr(fd_, TCSAFLUSH, &hidden) == 0;
    }
    QuietTerminal(const QuietTerminal&) = delete;
    QuietTerminal& operator=(const QuietTerminal&) = delete;
    ~QuietTerminal() {
        if (quiet_) ::tcsetattr(fd_, TCSAFLUSH, &shown_);
        for (std::size_t i = 0; i < kEndingSignals.size(); ++i)
            ::sigaction(kEndingSignals[i], &before_[i], nullptr);
        if (caught_signal != 0) ::raise(caught_signal);
    }

    bool quiet() const noexcept { return quiet_; }

private:
    const int fd_;
    bool quiet_ = false;
    termios shown_{};
    std::array<struct sigaction, kEndingSignals.size()> before_{};
};

// Up to a line break, or to the end where `whole`.
std::optional<std::string> read_text(int fd, bool whole, std::string& trouble) {
    std::string text;
    char byte = 0;
    for (;;) {
        const auto count = ::read(fd, &byte, 1);
        if (count < 0 && errno == EINTR && caught_signal == 0) continue;
        if (count < 0) {
            trouble = std::strerror(errno);
            return std::nullopt;
        }
        if (count == 0 || (byte == '\n' && !whole)) break;
        text += byte;
        if (text.size() > kSecretSizeMax) {
            trouble = "longer than a password or a token can be";
            return std::nullopt;
        }
    }
    if (text.ends_with('\n')) text.pop_back();
    if (text.ends_with('\r')) text.pop_back();
    return text;
}

void show(int fd, const std::string& text) {
    // There is nothing to do about a terminal that takes no text.
    [[maybe_unused]] const auto shown = ::write(fd, text.data(), text.size());
}

UniqueFd open_terminal(std::string& trouble) {
    UniqueFd terminal{::open(kTerminal, O_RDWR | O_CLOEXEC | O_NOCTTY)};
    if (!terminal) trouble = "there is no terminal to ask on";
    return terminal;
}

}  // namespace

bool can_ask() {
    std::string ignored;
    return ::isatty(STDIN_FILENO) == 1 && open_terminal(ignored);
}

std::optional<std::string> ask_line(const std::string& prompt, std::string& trouble) {
    const auto terminal = open_terminal(trouble);
    if (!terminal) return std::nullopt;
    caught_signal = 0;
    show(terminal.get(), prompt);
    return read_text(terminal.get(), false, trouble);
}

std::optional<std::string> ask_secret(const std::string& prompt, std::string& trouble) {
    const auto terminal = open_terminal(trouble);
    if (!terminal) return std::nullopt;
    const QuietTerminal hidden{terminal.get()};
    if (!hidden.quiet()) {
        trouble = "the terminal cannot hide what is typed";
        return std::nullopt;
    }
    show(terminal.get(), prompt);
    auto secret = read_text(terminal.get(), false, trouble);
    show(terminal.get(), "\n");
    return secret;
}

std::optional<std::string> ask_new_secret(const std::string& what, std::string& trouble) {
    auto first = ask_secret(what + ": ", trouble);
    if (!first || first->empty()) return first;
    const auto second = ask_secret(what + ", once more: ", trouble);
    if (!second) return std::nullopt;
    if (*first == *second) return first;
    trouble = "the two are not the same";
    return std::nullopt;
}

std::optional<std::string> read_secret(const std::string& path, std::string& trouble) {
    const bool input = path == "-";
    const UniqueFd file{input ? ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
                              : ::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    auto secret = file ? read_text(file.get(), true, trouble) : std::nullopt;
    if (!file) trouble = std::strerror(errno);
    if (!secret) {
        trouble = (input ? "standard input" : path) + ": " + trouble;
    } else if (secret->empty()) {
        trouble = (input ? "standard input" : path) + ": is empty";
        return std::nullopt;
    }
    return secret;
}

}  // namespace orbitalreg::program
