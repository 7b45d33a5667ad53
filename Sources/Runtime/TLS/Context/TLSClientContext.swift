/// What a client trusts and shows, for any number of connections. Any thread.
public final class TLSClientContext: Sendable {
    public let configuration: TLSClientConfiguration
    private let files: Reloadable<ClientMaterial>

    /// Reads the files; blocks meanwhile.
    /// - Throws: `TLSError` naming the file and what is wrong with it.
    public init(
        _ configuration: TLSClientConfiguration = TLSClientConfiguration()
    ) throws(TLSError) {
        self.configuration = configuration
        let keyLog = try KeyLog(configuration.keyLogFile)
        files = try Reloadable(configuration.sources) { () throws(TLSError) in
            try ClientMaterial(configuration, keyLog: keyLog)
        }
    }

    /// As ``TLSServerContext/reloadIfChanged()``.
    public func reloadIfChanged() throws(TLSError) -> Bool { try files.reloadIfChanged() }

    var material: ClientMaterial { files.current }
}
