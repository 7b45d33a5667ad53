import Glibc
import Synchronization
public import TLS

/// Certificates that live as long as the test run.
public struct Certificates: Sendable {
    public let directory: String

    public static let shared = Certificates()

    /// A directory of its own, for tests that change files.
    public init() {
        var template = Array("/tmp/janji-tls-XXXXXX".utf8CString)
        directory = String(cString: mkdtemp(&template))
        let folder = "\(#filePath)".split(separator: "/").dropLast().joined(separator: "/")
        let code = system("/\(folder)/make \(directory) > /dev/null 2>&1")
        precondition(code == 0, "Tests/Certificates/make failed")
        let path = directory
        made.withLock { $0.append(path) }
        _ = removal
    }

    public func path(_ name: String) -> String { "\(directory)/\(name)" }

    public func identity(_ name: String) -> TLSIdentity {
        TLSIdentity(certificateFile: path("\(name).pem"), keyFile: path("\(name).key"))
    }

    public func authority(_ name: String = "ca") -> TLSSource { .file(path("\(name).pem")) }

    public func server(
        _ names: String..., change: (inout TLSServerConfiguration) -> Void = { _ in }
    ) throws -> TLSServerContext {
        var configuration = TLSServerConfiguration(identities: names.map(identity))
        change(&configuration)
        return try TLSServerContext(configuration)
    }

    public func client(
        change: (inout TLSClientConfiguration) -> Void = { _ in }
    ) throws -> TLSClientContext {
        var configuration = TLSClientConfiguration(trust: .authorities(authority()))
        change(&configuration)
        return try TLSClientContext(configuration)
    }
}

/// Removed when the process ends.
private let made = Mutex<[String]>([])

private let removal: Void = {
    atexit {
        for directory in made.withLock({ $0 }) { _ = system("rm -rf \(directory)") }
    }
}()
