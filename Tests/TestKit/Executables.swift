public import Foundation

/// Where the programs under test lie.
public enum Executables {
    /// `janji`: JANJI_BINARY, else the one in the folder of the running tests.
    public static var janji: String { path("janji", variable: "JANJI_BINARY") }
    /// `rpcurl`: RPCURL_BINARY, else beside the tests.
    public static var rpcurl: String { path("rpcurl", variable: "RPCURL_BINARY") }

    /// `interop-server` and `interop-client`: beside the tests.
    public static var interopServer: String { path("interop-server", variable: "INTEROP_SERVER") }
    public static var interopClient: String { path("interop-client", variable: "INTEROP_CLIENT") }

    private static func path(_ name: String, variable: String) -> String {
        if let named = ProcessInfo.processInfo.environment[variable], !named.isEmpty {
            return named
        }
        // Under `swift test` our own file is in a `.xctest` bundle beside the executables.
        let own =
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        let candidates = [own] + CommandLine.arguments
        for candidate in candidates {
            var folder = URL(fileURLWithPath: candidate)
            for _ in 0..<3 {
                folder.deleteLastPathComponent()
                let file = folder.appendingPathComponent(name).path
                if FileManager.default.isExecutableFile(atPath: file) { return file }
            }
        }
        return name
    }

    /// The folder of the package: where `proto/` and `Tests/Peers` lie.
    public static var package: URL {
        var folder = URL(fileURLWithPath: #filePath)
        for _ in 0..<3 { folder.deleteLastPathComponent() }
        return folder
    }
}
