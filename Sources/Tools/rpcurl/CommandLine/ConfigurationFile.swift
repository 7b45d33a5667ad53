import Loop

/// The file with the profiles.
enum ConfigurationFile {
    /// What the file says to this command line: -config FILE, or ~/.config/rpcurl/config when that
    /// is there; the profile by -profile or RPCURL_PROFILE.
    /// - Throws: `Failure` when a file or profile that was asked for cannot be used.
    static func profile(
        _ words: Arguments.Words, _ environment: [String: String], _ loop: EventLoop
    ) async throws -> Profile {
        let name = words.value(of: "profile") ?? environment["RPCURL_PROFILE"]
        let folder =
            environment["XDG_CONFIG_HOME"] ?? environment["HOME"].map { "\($0)/.config" }
        guard let path = words.value(of: "config") ?? folder.map({ "\($0)/rpcurl/config" }) else {
            guard let name else { return Profile() }
            throw Failure.usage("-profile \(name): HOME is not set; give the file with -config")
        }
        let file: InputFile
        do {
            file = try InputFile(path: path)
        } catch {
            if words.value(of: "config") == nil, name == nil { return Profile() }
            throw Failure.usage(error.sentence)
        }
        var bytes: [UInt8] = []
        while case let more = try await file.read(on: loop), !more.isEmpty {
            bytes += more
            guard bytes.count <= Profile.maxBytes else {
                throw Failure.usage("\(path) is larger than \(Profile.maxBytes) bytes")
            }
        }
        return try Profile(
            parsing: String(decoding: bytes, as: UTF8.self), name: name, path: path,
            environment: environment)
    }
}
