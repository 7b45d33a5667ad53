import Glibc

/// A program of PostgreSQL failed.
public struct PostgresProcessError: Error, CustomStringConvertible {
    public let command: String
    public let status: Int32
    public let output: String

    public var description: String { "\(command) ended with status \(status): \(output)" }
}

/// Starts the programs of PostgreSQL, which refuse to run as root, as the user `postgres`.
enum PostgresProcess {
    /// Runs a program to its end and returns what it wrote. Output goes through a file, because a
    /// server started by it keeps its output open.
    @discardableResult
    static func run(_ command: [String], log: String? = nil) throws -> String {
        let prefix =
            getuid() == 0
            ? ["/usr/bin/setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"] : []
        let arguments = prefix + command
        var template = Array("/tmp/janji-out.XXXXXX".utf8CString)
        let descriptor = mkstemp(&template)
        guard descriptor >= 0 else { throw failure(command, errno, "mkstemp") }
        unlink(template)
        defer { close(descriptor) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, descriptor, 1)
        posix_spawn_file_actions_adddup2(&actions, descriptor, 2)
        var pointers = arguments.map { strdup($0) }
        pointers.append(nil)
        defer { for pointer in pointers { free(pointer) } }
        var process: pid_t = 0
        let code = posix_spawn(&process, arguments[0], &actions, nil, pointers, environ)
        guard code == 0 else { throw failure(command, code, "posix_spawn") }
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0, errno == EINTR {}
        let output = readAll(descriptor)
        guard status == 0 else {
            throw failure(
                command, status, output + String((log.flatMap(contents(of:)) ?? "").suffix(2000)))
        }
        return output.last == "\n" ? String(output.dropLast()) : output
    }

    private static func failure(_ command: [String], _ status: Int32, _ output: String)
        -> PostgresProcessError
    {
        PostgresProcessError(
            command: command.joined(separator: " "), status: status, output: output)
    }

    private static func readAll(_ descriptor: Int32) -> String {
        lseek(descriptor, 0, SEEK_SET)
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            guard count > 0 else { return String(decoding: bytes, as: UTF8.self) }
            bytes.append(contentsOf: buffer[..<count])
        }
    }

    static func contents(of path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        lseek(descriptor, 0, SEEK_SET)
        return readAll(descriptor)
    }

    static func entries(of directory: String) -> [String] {
        guard let stream = opendir(directory) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            withUnsafePointer(to: &entry.pointee.d_name) { name in
                name.withMemoryRebound(to: CChar.self, capacity: 256) {
                    names.append(String(cString: $0))
                }
            }
        }
        return names
    }

    static func children(of parent: pid_t) -> [pid_t] {
        entries(of: "/proc").compactMap { pid_t($0) }.filter { process in
            // After the command in parentheses: state, parent, …
            guard let text = contents(of: "/proc/\(process)/stat"),
                let end = text.lastIndex(of: ")")
            else { return false }
            let fields = text[text.index(after: end)...].split(separator: " ")
            return fields.count > 1 && pid_t(fields[1]) == parent
        }
    }

    /// Waits until a process that was sent SIGSTOP has stopped: until then it may still fork.
    static func waitUntilStopped(_ process: pid_t) {
        wait { ["T", "Z", nil].contains(state(of: process)) }
    }

    /// Waits until a killed process is gone; a zombie of somebody else counts as gone.
    static func waitUntilGone(_ process: pid_t) {
        wait { ["Z", nil].contains(state(of: process)) }
    }

    private static func wait(until isSo: () -> Bool) {
        for _ in 0..<30_000 {
            if isSo() { return }
            usleep(2000)
        }
    }

    /// Nil when there is no such process.
    private static func state(of process: pid_t) -> Substring? {
        guard kill(process, 0) == 0, let text = contents(of: "/proc/\(process)/stat"),
            let end = text.lastIndex(of: ")")
        else { return nil }
        return text[text.index(after: end)...].split(separator: " ").first
    }
}
