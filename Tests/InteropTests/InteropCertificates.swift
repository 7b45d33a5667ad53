import Foundation
import TestKit

/// Certificates as gRPC's own interop tests have them: the server is `*.test.google.fr`.
struct InteropCertificates: Sendable {
    static let host = "foo.test.google.fr"

    private let folder: URL

    /// Makes them, once a run.
    init() async throws {
        folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("janji-interop-certificates-\(getpid())")
        let script = Executables.package.appendingPathComponent("Tests/Certificates/make").path
        let result = try await BackgroundProcess.run(script, [folder.path])
        guard result.status == 0 else {
            throw BackgroundProcess.Failure(description: "\(script): \(result.errors)")
        }
    }

    var authority: String { path("ca.pem") }
    var certificate: String { path("server1.pem") }
    var key: String { path("server1.key") }

    private func path(_ name: String) -> String { folder.appendingPathComponent(name).path }
}
