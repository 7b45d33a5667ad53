import Generator
import Glibc

/// protoc starts it, writes a CodeGeneratorRequest to standard input and reads the answer from
/// standard output. It ends with 1 only when those two do not work.

/// Everything up to the end of standard input; nil when reading fails.
func readRequest() -> [UInt8]? {
    var request: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
        let count = read(STDIN_FILENO, &buffer, buffer.count)
        if count == 0 { return request }
        if count > 0 {
            request += buffer[..<count]
        } else if errno != EINTR {
            return nil
        }
    }
}

/// Whether standard output took all of it.
func writeResponse(_ response: [UInt8]) -> Bool {
    var rest = response[...]
    while !rest.isEmpty {
        let count = rest.withUnsafeBytes { write(STDOUT_FILENO, $0.baseAddress, $0.count) }
        if count > 0 {
            rest = rest.dropFirst(count)
        } else if errno != EINTR {
            return false
        }
    }
    return true
}

if CommandLine.arguments.count > 1 {
    guard ["--help", "-h", "help"].contains(CommandLine.arguments[1]) else {
        let advice = "protoc-gen-janji takes no arguments but --help; protoc starts it\n"
        _ = write(STDERR_FILENO, advice, advice.utf8.count)
        exit(64)
    }
    puts(Generator.help)
    exit(0)
}

guard let request = readRequest(), writeResponse(Generator.respond(to: request)) else {
    perror("protoc-gen-janji")
    exit(1)
}
