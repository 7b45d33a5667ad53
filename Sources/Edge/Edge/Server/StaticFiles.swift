import Crypto
import Glibc
import HTTP1

/// The pages, read into memory once: a request never touches the file system, so no path can
/// leave the folder.
struct StaticFiles: Sendable {
    struct File: Sendable {
        let bytes: [UInt8]
        let contentType: String
        let etag: String

        init(_ bytes: [UInt8], contentType: String) {
            self.bytes = bytes
            self.contentType = contentType
            etag = "\"\(Hex.encode(Array(SHA256.hash(bytes).prefix(12))))\""
        }
    }

    /// By URL path.
    private let files: [String: File]
    private let policy: String

    static let maxFileBytes = 8 << 20

    /// No pages at all.
    init() {
        files = [:]
        policy = Self.policy(nil)
    }

    /// Reads the pages and everything below `assets`. Nil when the folder has no
    /// `index.html`.
    init?(root: String, captcha: CaptchaWidget? = nil) {
        var files: [String: File] = [:]
        Self.read(root, as: "", into: &files, depth: 0)
        guard let index = files["/index.html"] else { return nil }
        files["/"] = index
        for page in ["/admin", "/book", "/booking"] { files[page] = files[page + ".html"] }
        files["/assets/captcha.json"] = File(
            CaptchaWidget.json(captcha), contentType: "application/json")
        self.files = files
        policy = Self.policy(captcha)
    }

    private static func policy(_ captcha: CaptchaWidget?) -> String {
        "default-src 'self'; connect-src 'self' ws: wss:\(captcha?.connections ?? "")"
            + "; frame-ancestors 'none'; base-uri 'self'; form-action 'self'"
            + (captcha?.policy ?? "")
    }

    var count: Int { files.count }

    func file(_ path: String) -> File? { files[path] }

    /// The folder of the bundled pages: `janji_Pages.resources/Web` beside the executable.
    static var bundledRoot: String? {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &buffer, buffer.count - 1)
        guard count > 0 else { return nil }
        let path = String(
            decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        guard let slash = path.lastIndex(of: "/") else { return nil }
        return path[..<slash] + "/janji_Pages.resources/Web"
    }

    func response(_ file: File, _ head: HTTPRequestHead) -> HTTPResponse {
        var headers = HTTPHeaders()
        try? headers.add("content-type", file.contentType)
        try? headers.add("etag", file.etag)
        headers.add(literal: "cache-control", "no-cache")
        try? headers.add("content-security-policy", policy)
        headers.add(literal: "x-frame-options", "DENY")
        headers.add(literal: "referrer-policy", "same-origin")
        if Self.names(head.headers.all("if-none-match"), file.etag) {
            return HTTPResponse(status: .notModified, headers: headers)
        }
        return HTTPResponse(status: .ok, headers: headers, body: file.bytes)
    }

    private static func names(_ values: [String], _ etag: String) -> Bool {
        values.contains { value in
            value.split(separator: ",").contains { member in
                let member = String(member.filter { $0 != " " && $0 != "\t" })
                return member == "*" || member == etag || member == "W/" + etag
            }
        }
    }

    private static func read(
        _ folder: String, as path: String, into files: inout [String: File], depth: Int
    ) {
        guard depth < 8, let directory = opendir(folder) else { return }
        defer { closedir(directory) }
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard !name.hasPrefix(".") else { continue }
            var status = stat()
            guard stat("\(folder)/\(name)", &status) == 0 else { continue }
            switch status.st_mode & S_IFMT {
            case S_IFDIR:
                read("\(folder)/\(name)", as: "\(path)/\(name)", into: &files, depth: depth + 1)
            case S_IFREG where status.st_size <= maxFileBytes:
                guard let bytes = contents("\(folder)/\(name)", size: Int(status.st_size)) else {
                    continue
                }
                files["\(path)/\(name)"] = File(bytes, contentType: contentType(name))
            default: continue
            }
        }
    }

    private static func contents(_ path: String, size: Int) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: size)
        var filled = 0
        while filled < size {
            let count = bytes.withUnsafeMutableBytes { buffer in
                Glibc.read(descriptor, buffer.baseAddress.map { $0 + filled }, size - filled)
            }
            guard count > 0 else { return nil }
            filled += count
        }
        return bytes
    }

    private static func contentType(_ name: String) -> String {
        switch name.split(separator: ".").last {
        case "html": "text/html; charset=utf-8"
        case "css": "text/css; charset=utf-8"
        case "js", "mjs": "text/javascript; charset=utf-8"
        case "json", "webmanifest": "application/json"
        case "svg": "image/svg+xml"
        case "png": "image/png"
        case "jpg", "jpeg": "image/jpeg"
        case "ico": "image/x-icon"
        case "woff2": "font/woff2"
        case "txt": "text/plain; charset=utf-8"
        default: "application/octet-stream"
        }
    }
}
