/* What a compiled kernel would bring: loss and gradient in one pass over the rows.
 *
 * One output, squared error, logistic units, float32; X (n, f) row by row, n and f multiples of 4.
 * A tile of rows goes through forward, loss and backward while its hidden layer is in the
 * first-level cache, where NumPy takes a block through eight passes over the second-level cache.
 * A prototype for benchmarks/bench_fused.py, and no part of the package.
 */
#include <math.h>
#include <string.h>

enum { ROWS = 16, UNITS = 16, MAX_HIDDEN = 128 };

/* exp(x) by x = n ln 2 + r and a polynomial in r (Cephes, expf), which compilers vectorise. */
static inline float exponential(float x) {
    x = x > 88.0f ? 88.0f : (x < -87.0f ? -87.0f : x);
    float n = __builtin_rintf(x * 1.44269504f);
    float r = x - n * 0.693359375f;
    r += n * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    union { int bits; float value; } power = {.bits = ((int)n + 127) << 23};
    return p * power.value;
}

static inline float logistic(float z) { return 1.0f / (1.0f + exponential(-z)); }

/* A1 (m, h) = sigma(X W1 + b1) for UNITS of the hidden units, from j on; m a multiple of 4. */
static inline void hidden_layer(const float *restrict X, int m, int f, int h, int j,
                                const float *restrict W1, const float *restrict b1,
                                float *restrict A1) {
    for (int i = 0; i < m; i += 4) {
        const float *x = X + i * f;
        float *a = A1 + i * h + j;
        float z0[UNITS], z1[UNITS], z2[UNITS], z3[UNITS]; /* of four rows, in registers */
        for (int t = 0; t < UNITS; t++) z0[t] = z1[t] = z2[t] = z3[t] = b1[j + t];
        for (int c = 0; c < f; c++) {
            const float *w = W1 + c * h + j;
            float x0 = x[c], x1 = x[f + c], x2 = x[2 * f + c], x3 = x[3 * f + c];
            for (int t = 0; t < UNITS; t++) {
                z0[t] += x0 * w[t];
                z1[t] += x1 * w[t];
                z2[t] += x2 * w[t];
                z3[t] += x3 * w[t];
            }
        }
        for (int t = 0; t < UNITS; t++) {
            a[t] = logistic(z0[t]);
            a[h + t] = logistic(z1[t]);
            a[2 * h + t] = logistic(z2[t]);
            a[3 * h + t] = logistic(z3[t]);
        }
    }
}

/* dW1 += X' D and db1 += sum D for UNITS of the hidden units, from j on. */
static inline void add_first_layer(const float *restrict X, const float *restrict D, int m, int f,
                                   int h, int j, float *restrict dW1, float *restrict db1) {
    for (int i = 0; i < m; i++)
        for (int t = 0; t < UNITS; t++) db1[j + t] += D[i * h + j + t];
    for (int c = 0; c < f; c += 4) {
        float *out = dW1 + c * h + j;
        float s0[UNITS], s1[UNITS], s2[UNITS], s3[UNITS]; /* of four columns, in registers */
        for (int t = 0; t < UNITS; t++) {
            s0[t] = out[t];
            s1[t] = out[h + t];
            s2[t] = out[2 * h + t];
            s3[t] = out[3 * h + t];
        }
        for (int i = 0; i < m; i++) {
            const float *x = X + i * f + c, *d = D + i * h + j;
            for (int t = 0; t < UNITS; t++) {
                s0[t] += x[0] * d[t];
                s1[t] += x[1] * d[t];
                s2[t] += x[2] * d[t];
                s3[t] += x[3] * d[t];
            }
        }
        for (int t = 0; t < UNITS; t++) {
            out[t] = s0[t];
            out[h + t] = s1[t];
            out[2 * h + t] = s2[t];
            out[3 * h + t] = s3[t];
        }
    }
}

/* Sum over the rows of (A1 W2 + b2 - y)^2, and its gradient. h is a multiple of UNITS. */
double loss_and_gradient(const float *restrict X, const float *restrict y, long n, int f, int h,
                         const float *restrict W1, const float *restrict b1,
                         const float *restrict W2, float b2, float *restrict dW1,
                         float *restrict db1, float *restrict dW2, float *restrict db2) {
    float A1[ROWS * MAX_HIDDEN];
    double loss = 0;
    memset(dW1, 0, sizeof(float) * f * h);
    memset(db1, 0, sizeof(float) * h);
    memset(dW2, 0, sizeof(float) * h);
    *db2 = 0;
    for (long first = 0; first < n; first += ROWS) {
        const float *rows = X + first * f;
        int m = n - first < ROWS ? (int)(n - first) : ROWS;
        for (int j = 0; j < h; j += UNITS) hidden_layer(rows, m, f, h, j, W1, b1, A1);
        for (int i = 0; i < m; i++) {
            float Z2 = b2, *a = A1 + i * h;
            for (int j = 0; j < h; j++) Z2 += a[j] * W2[j];
            float residual = Z2 - y[first + i], delta = 2 * residual;
            loss += residual * residual;
            *db2 += delta;
            for (int j = 0; j < h; j++) {
                dW2[j] += delta * a[j];
                a[j] = delta * (a[j] - a[j] * a[j]); /* d1 without the factor W2 */
            }
        }
        for (int j = 0; j < h; j += UNITS) add_first_layer(rows, A1, m, f, h, j, dW1, db1);
    }
    for (int j = 0; j < h; j++) {
        db1[j] *= W2[j];
        for (int c = 0; c < f; c++) dW1[c * h + j] *= W2[j];
    }
    return loss;
}
