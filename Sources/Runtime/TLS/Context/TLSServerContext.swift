/// The certificates and rules of a server, for any number of connections. Any thread.
public final class TLSServerContext: Sendable {
    public let configuration: TLSServerConfiguration
    private let files: Reloadable<ServerMaterial>

    /// Reads the files; blocks meanwhile.
    /// - Throws: `TLSError` naming the file and what is wrong with it.
    public init(_ configuration: TLSServerConfiguration) throws(TLSError) {
        self.configuration = configuration
        let keyLog = try KeyLog(configuration.keyLogFile)
        files = try Reloadable(configuration.sources) { () throws(TLSError) in
            try ServerMaterial(configuration, keyLog: keyLog)
        }
    }

    /// Reads the files again if one of them has changed since they were read last. Blocks.
    ///
    /// New connections use what is new, connections that live are not touched. Files that cannot
    /// be used change nothing; they are tried again at each look.
    /// - Returns: whether there is something new.
    /// - Throws: `TLSError` naming the file and what is wrong with it.
    public func reloadIfChanged() throws(TLSError) -> Bool { try files.reloadIfChanged() }

    /// What a client that names no host is shown.
    public var certificate: TLSCertificate { files.current.certificate }

    var material: ServerMaterial { files.current }
}
