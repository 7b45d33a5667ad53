import Glibc
import Synchronization
import TLS

/// Certificates that live as long as the test run.
struct Certificates {
    let directory: String

    static let shared = Certificates()

    /// A directory of its own, for tests that change files.
    init() {
        var template = Array("/tmp/janji-tls-XXXXXX".utf8CString)
        directory = String(cString: mkdtemp(&template))
        let script = "\(#filePath)".split(separator: "/").dropLast(2).joined(separator: "/")
        let code = system("/\(script)/Certificates/make \(directory) > /dev/null 2>&1")
        precondition(code == 0, "Tests/Certificates/make failed")
        let path = directory
        made.withLock { $0.append(path) }
        _ = removal
    }

    func path(_ name: String) -> String { "\(directory)/\(name)" }

    func identity(_ name: String) -> TLSIdentity {
        TLSIdentity(certificateFile: path("\(name).pem"), keyFile: path("\(name).key"))
    }

    func authority(_ name: String = "ca") -> TLSSource { .file(path("\(name).pem")) }

    func server(
        _ names: String..., change: (inout TLSServerConfiguration) -> Void = { _ in }
    ) throws -> TLSServerContext {
        var configuration = TLSServerConfiguration(identities: names.map(identity))
        change(&configuration)
        return try TLSServerContext(configuration)
    }

    func client(
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
