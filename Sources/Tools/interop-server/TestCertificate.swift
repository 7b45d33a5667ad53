import Glibc
import Loop
import TLS

/// What a server shows that was given no certificate: server1 as in gRPC's test_creds, made by
/// the repository's script for this process alone.
struct TestCertificate {
    struct Failure: Error, CustomStringConvertible { let description: String }

    /// The file that a client has to trust.
    let authority: String
    let identity: TLSIdentity

    init(on loop: EventLoop) async throws {
        var template = Array("/tmp/janji-interop-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw Failure(
                description: "no folder for a certificate: \(String(cString: strerror(errno)))")
        }
        let folder = String(decoding: template.dropLast().map(UInt8.init), as: UTF8.self)
        let script =
            #filePath.split(separator: "/").dropLast(4).reduce("") { "\($0)/\($1)" }
            + "/Tests/Certificates/make"
        let process = try await ChildProcess.start(
            executable: script, arguments: [folder], on: loop)
        let status = await process.waitForExit()
        guard status == 0 else {
            throw Failure(
                description: "\(script) ended with \(status); give --cert_file and --key_file")
        }
        authority = "\(folder)/ca.pem"
        identity = TLSIdentity(
            certificateFile: "\(folder)/server1.pem", keyFile: "\(folder)/server1.key")
    }
}
