/// Flags that a configuration file gives.
///
///     # for every command
///     connect-timeout = 5
///
///     [staging]
///     address = staging.example:443
///     H = authorization: Bearer ${STAGING_TOKEN}
///     compact
///
/// A line is `flag = value` with the flag's name of the command line, without dashes; a switch
/// stands alone, or is `true` or `false`. `address` is the server's. Flags of the command line win over those of the
/// profile, and these over the ones above the first `[name]`; `${NAME}` is an environment variable.
struct Profile: Sendable {
    var address: String?
    var defaults: [(flag: Flag, value: String)] = []
    var flags: [(flag: Flag, value: String)] = []

    static let maxBytes = 1 << 20

    /// - Parameters:
    ///   - name: nil for the defaults alone.
    ///   - path: for errors.
    /// - Throws: `Failure` with the line; also when there is no such profile.
    init(
        parsing text: String, name: String?, path: String, environment: [String: String]
    ) throws(Failure) {
        var section: String?
        var names: [String] = []
        for (index, raw) in text.split(separator: "\n", omittingEmptySubsequences: false)
            .enumerated()
        {
            let line = Profile.trim(raw)
            if line.isEmpty || line.hasPrefix("#") { continue }
            let place = "\(path):\(index + 1)"
            if line.hasPrefix("[") {
                guard line.hasSuffix("]"), line.count > 2 else {
                    throw .usage("\(place): expected [name], not \(line)")
                }
                let found = String(Profile.trim(line.dropFirst().dropLast()))
                guard !names.contains(found) else {
                    throw .usage("\(place): there is a profile \(found) already")
                }
                section = found
                names.append(found)
                continue
            }
            // Also of other profiles, so that mistakes do not wait for the day of their use.
            let (key, flag, value) = try Profile.entry(line, place)
            guard section == nil || section == name else { continue }
            let expanded: String
            do throws(Failure) {
                expanded = try EnvironmentText.expand(value, environment)
            } catch {
                throw .usage("\(place): \(error.sentence)")
            }
            if key == "address" {
                address = expanded
            } else if let flag, section == nil {
                defaults.append((flag, expanded))
            } else if let flag {
                flags.append((flag, expanded))
            }
        }
        if let name, !names.contains(name) {
            throw .usage(
                "\(path) has no profile \(name); " + Suggestion.text(name, of: names, "profiles"))
        }
    }

    init() {}

    private static func entry(
        _ line: Substring, _ place: String
    ) throws(Failure) -> (key: String, flag: Flag?, value: String) {
        let split = line.firstIndex(of: "=")
        let key = String(trim(line[..<(split ?? line.endIndex)]))
        let value = split.map { String(trim(line[line.index(after: $0)...])) }
        if key == "address" {
            guard let value, !value.isEmpty else { throw .usage("\(place): address = host:port") }
            return (key, nil, value)
        }
        guard let flag = Flag.named(key), !["config", "profile", "help", "version"].contains(key)
        else {
            throw .usage("\(place): \(key) is no flag that a profile may set")
        }
        if flag.value == nil, value == "true" || value == "false" {
            return (key, flag, value ?? "")
        }
        guard (value != nil) == (flag.value != nil) else {
            throw .usage(
                flag.value.map { "\(place): expected \(key) = \($0)" }
                    ?? "\(place): \(key) stands alone, or is true or false")
        }
        return (key, flag, value ?? "")
    }

    private static func trim(_ text: Substring) -> Substring {
        let blank: (Character) -> Bool = { $0 == " " || $0 == "\t" || $0 == "\r" }
        var text = text.drop(while: blank)
        while let last = text.last, blank(last) { text.removeLast() }
        return text
    }
}
