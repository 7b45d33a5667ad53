/// What `--janji_opt` says, for example `access=public,module=Schema,import=RPC:google/rpc`.
struct Parameters: Sendable, Hashable {
    enum Access: String, CaseIterable, Sendable {
        case `public`, package, `internal`

        /// What stands before a declaration.
        var prefix: String { self == .internal ? "" : "\(rawValue) " }
    }

    /// A module that declares the types of other protos.
    struct Import: Sendable, Hashable {
        var module: String
        /// Only for files that import a proto below this folder; nil is every file.
        var folder: String?
    }

    var access = Access.public
    /// The module that the code becomes a part of; it does not import itself.
    var module: String?
    var imports: [Import] = []
    /// Whether service protocols, method lists and clients are wanted.
    var services = true
    /// Whether a service protocol's methods answer UNIMPLEMENTED unless they are written.
    var defaults = false
    /// Whether a service made of closures is wanted, for tests.
    var mocks = false
    /// The enum that lists every generated file of the module, for reflection; nil for none.
    var registry: String?

    init(_ text: String) throws(GeneratorError) {
        for part in text.split(separator: ",") {
            let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard pair.count == 2 else {
                throw GeneratorError(
                    .parameter, "parameter \"\(part)\" is not of the form name=value")
            }
            try set(String(pair[0]).lowercased(), String(pair[1]))
        }
    }

    private mutating func set(_ name: String, _ value: String) throws(GeneratorError) {
        switch name {
        case "access":
            guard let access = Access(rawValue: value.lowercased()) else {
                let known = Access.allCases.map(\.rawValue).joined(separator: ", ")
                throw GeneratorError(.parameter, "access=\(value): expected one of \(known)")
            }
            self.access = access
        case "services": services = try flag(value, of: name)
        case "defaults": defaults = try flag(value, of: name)
        case "mocks": mocks = try flag(value, of: name)
        case "module": module = try identifier(value, of: name)
        case "registry": registry = try identifier(value, of: name)
        case "import":
            for item in value.split(separator: "+", omittingEmptySubsequences: false) {
                let parts = item.split(separator: ":", maxSplits: 1)
                let module = try identifier(parts.first.map(String.init) ?? "", of: name)
                imports.append(
                    Import(module: module, folder: parts.count == 2 ? "\(parts[1])/" : nil))
            }
        default:
            throw GeneratorError(
                .parameter,
                "parameter \"\(name)\" is unknown: "
                    + "access, defaults, import, mocks, module, registry, services")
        }
    }

    private func flag(_ value: String, of name: String) throws(GeneratorError) -> Bool {
        guard value == "true" || value == "false" else {
            throw GeneratorError(.parameter, "\(name)=\(value): expected true or false")
        }
        return value == "true"
    }

    private func identifier(_ value: String, of name: String) throws(GeneratorError) -> String {
        let isValid =
            value.first.map { $0.isLetter || $0 == "_" } == true
            && value.allSatisfy { $0.isLetter || $0.isNumber || $0 == "_" }
        guard isValid else {
            throw GeneratorError(.parameter, "\(name)=\(value): \"\(value)\" is not a Swift name")
        }
        return value
    }
}
